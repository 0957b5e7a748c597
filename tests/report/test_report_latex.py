"""Tables in LaTeX of records written by hand: their exact text, and what is not there."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

import promptlet
from promptlet.errors import OptionError
from promptlet.report import render, summarise, write_report
from promptlet.report.formats.documents import format_of
from promptlet.report.formats.latex.text import Cell, best_in_bold, escaped, mark, stacked

HEAD = (
    f"% Promptlet {promptlet.__version__}. Needs \\usepackage{{booktabs}}.\n"
    "% BibTeX of the methods' papers: at the end of the same report as Markdown.\n"
)
TWO_SEEDS = (
    "$\\pm$ is no interval: a mean $\\pm$ it holds what all seeds would give on average 50 of 100 times for "
    "2 seeds, if results are normal. "
)
UNTRAINED = r"All seeds give the same for zero\_shot. "
OTHER = {"fingerprint": "d-e-f", "more": {"backbone": {"name": "ViT_B/16", "fingerprint": "d-e-f"}}}


def latex(book: Any) -> str:
    return render(summarise(book.store), "latex")


def caption(text: str) -> str:
    [found] = re.findall(r"\\caption\{(.*)\}$", text, re.MULTILINE)
    return str(found)


def lines(text: str) -> list[list[str]]:
    """The cells of every line but the head's."""
    found = [line.removesuffix(r" \\").split(" & ") for line in text.splitlines() if " & " in line]
    return [[cell.strip() for cell in line] for line in found][1:]


def columns(text: str) -> list[str]:
    [found] = [line for line in text.splitlines() if line.strip().startswith(("Data set", "Method"))]
    return found.strip().removesuffix(r" \\").split(" & ")


def document(told: str, label: str, tabular: str) -> str:
    """The text of a report of one table."""
    body = indent(dedent(tabular).lstrip("\n"), "  ")
    top = f"\\begin{{table}}[t]\n  \\centering\n  \\caption{{{told}}}\n  \\label{{{label}}}\n"
    return f"{HEAD}\n{top}{body}\\end{{table}}\n"


def test_base_to_new(book: Any) -> None:
    for dataset, seed, base, new in (
        *(("pets", 1, 90.0, 30.0), ("pets", 2, 70.0, 70.0)),  # H 45 and 70
        *(("cars", 1, 60.0, 60.0), ("cars", 2, 64.0, 64.0)),
    ):
        book.write("coop", seed, base, new, dataset=dataset)
        book.write("zero_shot", seed, 62.0, 55.0, dataset=dataset)
    told = (
        "Base-to-new, 16 shots, backbone mini, float32, schedule fast. Top-1 accuracy in percent on base and "
        "new classes, and H, the harmonic mean of the two means. Means over seeds 1, 2, $\\pm$ population "
        "deviation over seeds; that of H is of the H of each seed. In the average, H is that of the average "
        f"accuracies and $\\pm$ is the mean of the data sets' deviations. {TWO_SEEDS}{UNTRAINED}"
        "Bold: the best of a line."
    )
    tabular = r"""
        \begin{tabular}{llcc}
          \toprule
          Data set &  & zero\_shot & coop \\
          \midrule
          cars & Base & \textbf{62.00} {\scriptsize $\pm$0.00} & \textbf{62.00} {\scriptsize $\pm$2.00} \\
           & New & 55.00 {\scriptsize $\pm$0.00} & \textbf{62.00} {\scriptsize $\pm$2.00} \\
           & H & 58.29 {\scriptsize $\pm$0.00} & \textbf{62.00} {\scriptsize $\pm$2.00} \\
          \addlinespace
          pets & Base & 62.00 {\scriptsize $\pm$0.00} & \textbf{80.00} {\scriptsize $\pm$10.00} \\
           & New & \textbf{55.00} {\scriptsize $\pm$0.00} & 50.00 {\scriptsize $\pm$20.00} \\
           & H & 58.29 {\scriptsize $\pm$0.00} & \textbf{61.54} {\scriptsize $\pm$12.50} \\
          \midrule
          average & Base & 62.00 {\scriptsize $\pm$0.00} & \textbf{71.00} {\scriptsize $\pm$6.00} \\
           & New & 55.00 {\scriptsize $\pm$0.00} & \textbf{56.00} {\scriptsize $\pm$11.00} \\
           & H & 58.29 {\scriptsize $\pm$0.00} & \textbf{62.61} {\scriptsize $\pm$7.25} \\
          \bottomrule
        \end{tabular}
        """
    assert latex(book) == document(told, "tab:base-to-new", tabular)


def test_all_names(book: Any) -> None:
    for seed in (1, 2):
        book.write("coop", seed, 59.0 + seed, 40.0 + 2 * seed, 90.0, 30.0)
        book.write("zero_shot", seed, 55.0, 43.0, 80.0, 60.0)
    told = (
        "All-names, 16 shots, backbone mini, float32, schedule fast. Top-1 accuracy in percent of all images "
        "among all names (All) and of each half among its own (Base, New), H, the harmonic mean of the last "
        "two means, and OpenworldAUC in percent, by the log-odds of the base names among all. Means over "
        "seeds 1, 2, $\\pm$ population deviation over seeds; that of H is of the H of each seed. "
        f"{TWO_SEEDS}{UNTRAINED}Bold: the best of a line."
    )
    tabular = r"""
        \begin{tabular}{llcc}
          \toprule
          Data set &  & zero\_shot & coop \\
          \midrule
          pets & All & 55.00SD0.00} & \textbf{60.50}SD0.50} \\
           & OpenworldAUC & \textbf{43.00}SD0.00} & \textbf{43.00}SD1.00} \\
           & Base & 80.00SD0.00} & \textbf{90.00}SD0.00} \\
           & New & \textbf{60.00}SD0.00} & 30.00SD0.00} \\
           & H & \textbf{68.57}SD0.00} & 45.00SD0.00} \\
          \bottomrule
        \end{tabular}
        """.replace("SD", r" {\scriptsize $\pm$")
    assert latex(book) == document(told, "tab:all-names", tabular)


def test_few_shot(book: Any) -> None:
    for shots, coop in ((1, 52.0), (16, 81.0)):
        for dataset in ("pets", "cars"):
            book.write("zero_shot", 1, 60.0, dataset=dataset, shots=shots)
            book.write("coop", 1, coop, dataset=dataset, shots=shots)
    told = (
        "Few-shot, backbone mini, float32, schedule fast. Top-1 accuracy in percent by shots (images per "
        "class). Seed 1. Bold: the best of a line."
    )
    tabular = r"""
        \begin{tabular}{lrcc}
          \toprule
          Data set & Shots & zero\_shot & coop \\
          \midrule
          cars & 1 & \textbf{60.00} & 52.00 \\
           & 16 & 60.00 & \textbf{81.00} \\
          \addlinespace
          pets & 1 & \textbf{60.00} & 52.00 \\
           & 16 & 60.00 & \textbf{81.00} \\
          \midrule
          average & 1 & \textbf{60.00} & 52.00 \\
           & 16 & 60.00 & \textbf{81.00} \\
          \bottomrule
        \end{tabular}
        """
    assert latex(book) == document(told, "tab:few-shot", tabular)


@pytest.mark.parametrize("protocol", ["cross-dataset", "domain-shift"])
def test_transfers(protocol: str, book: Any) -> None:
    for dataset, accuracy in (("pets", 80.0), ("cars", 60.0)):
        for seed in (1, 2):
            own = {"dataset": dataset, "protocol": protocol}
            book.write("coop", seed, accuracy + seed, more={"source_accuracy": 70.0 + seed}, **own)
            book.write("zero_shot", seed, 70.0, more={"source_accuracy": 71.5}, **own)
    told = (
        f"{protocol.capitalize()}, 16 shots, trained on imagenet, backbone mini, float32, schedule fast. "
        "Top-1 accuracy in percent on the source and on each target. Means over seeds 1, 2, $\\pm$ "
        "population deviation over seeds. In the average, $\\pm$ is the mean of the data sets' deviations. "
        f"{TWO_SEEDS}{UNTRAINED}Bold: the best of a column."
    )
    tabular = r"""
        \begin{tabular}{lcccc}
          \toprule
           & Source & \multicolumn{3}{c}{Target} \\
          \cmidrule(lr){2-2} \cmidrule(lr){3-5}
          Method & imagenet & cars & pets & average \\
          \midrule
          zero\_shot & \textbf{71.50}SD0.00} & \textbf{70.00}SD0.00} & 70.00SD0.00} & 70.00SD0.00} \\
          coop & \textbf{71.50}SD0.50} & 61.50SD0.50} & \textbf{81.50}SD0.50} & \textbf{71.50}SD0.50} \\
          \bottomrule
        \end{tabular}
        """.replace("SD", r" {\scriptsize $\pm$")
    assert latex(book) == document(told, f"tab:{protocol}", tabular)


def test_of_one_method_or_one_data_set_there_is_neither_bold_nor_average(book: Any) -> None:
    book.write("coop", 1, 90.0, 30.0)
    text = latex(book)
    assert r"\textbf" not in text and "average" not in text and text.count(r"\midrule") == 1
    assert caption(text).endswith("harmonic mean of the two means. Seed 1.")


def test_what_looks_the_same_is_bold_together() -> None:
    cells = [Cell("9.90", "a"), Cell("10.00", "b"), Cell(), Cell("10.00")]
    assert best_in_bold(cells) == ["9.90a", r"\textbf{10.00}b", "--", r"\textbf{10.00}"]
    assert best_in_bold([Cell(), Cell("10.00")]) == ["--", "10.00"] and best_in_bold([]) == []


def test_equal_in_the_shown_digits_is_a_tie(book: Any) -> None:
    book.write("coop", 1, 70.001)
    book.write("rlp", 1, 69.999)
    book.write("zero_shot", 1, 69.99)
    assert lines(latex(book)) == [["pets", "16", "69.99", r"\textbf{70.00}", r"\textbf{70.00}"]]


def test_what_is_missing_or_failed_is_a_dash_and_counted(book: Any) -> None:
    for method in ("coop", "zero_shot"):
        for dataset in ("cars", "dogs"):
            book.write(method, 1, 70.0, 60.0, dataset=dataset)
    book.write("coop", 1, 80.0, 60.0)
    broken = [book.fail("zero_shot", 1, "no images"), book.fail("rlp", 1, "nan", "cars", options={})]
    asked = [book.run("rlp", seed, "base-to-new", "cars", options={}) for seed in (1, 2)]
    asked += [book.run("coop", 1, "base-to-new", "eggs")]
    book.store.write_plan([one.describe() for one in (*broken, *asked)])
    text = latex(book)
    assert columns(text) == ["Data set", "", r"zero\_shot", "coop", "rlp"]  # what has no result stands last
    assert lines(text)[:4:3] == [
        ["cars", "Base", r"\textbf{70.00}", r"\textbf{70.00}", "--"],
        ["dogs", "Base", r"\textbf{70.00}", r"\textbf{70.00}", "--"],
    ]
    assert lines(text)[6:12:3] == [["eggs", "Base", *["--"] * 3], ["pets", "Base", "--", "80.00", "--"]]
    assert lines(text)[12] == ["average", "Base", "--", "73.33", "--"]
    assert caption(text).endswith(
        "Bold: the best of a line. --: no result. Of the runs asked for, 2 missing, 2 failed. The average is "
        "over the data sets with results. A method without an average lacks a data set, or has it twice or "
        "with other seeds."
    )
    assert "nan" not in text and "no images" not in text


def test_a_mean_over_other_seeds_bears_a_letter(book: Any) -> None:
    for seed in (1, 2):
        for method in ("zero_shot", "coop"):
            book.write(method, seed, 70.0, dataset="cars")
            book.write(method, seed, 70.0 + seed)
    for seed, dataset in ((1, "cars"), (1, "pets")):
        book.write("rlp", seed, 80.0, dataset=dataset)
    book.write("rlp", 3, 90.0)
    asked = [book.run("rlp", seed, "few-shot", dataset) for seed in (2, 3) for dataset in ("cars", "pets")]
    book.store.write_plan([one.describe() for one in asked])
    text = latex(book)
    assert [line[4] for line in lines(text)] == [
        r"\textbf{80.00}$^{b}$",
        r"\textbf{85.00} {\scriptsize $\pm$5.00}$^{a}$",
        "--",
    ]
    told = (
        f"$^{{a}}$ Seeds 1, 3. $^{{b}}$ Seed 1. {TWO_SEEDS}Bold: the best of a line. --: no result. "
        "Of the runs asked for, 3"
    )
    assert "Means over seeds 1, 2, $" in caption(text) and f" {told} missing, 0 failed. " in caption(text)
    assert "--: no result" in caption(text) and "over the data sets with results" not in caption(text)


def test_a_deviation_is_explained_wherever_there_is_one(book: Any) -> None:
    for method, seeds in (("zero_shot", (1,)), ("coop", (1,)), ("rlp", (1, 2))):
        for seed in seeds:
            book.write(method, seed, 70.0)
    text = latex(book)
    assert "Seed 1, $\\pm$ population deviation over seeds. $^{a}$ Seeds 1, 2." in caption(text)
    assert lines(text)[0][3] == r"\textbf{70.00} {\scriptsize $\pm$0.00}$^{a}$"


def test_few_shot_has_a_column_per_setting_whatever_the_shots(book: Any) -> None:
    for shots, rank in ((1, 2), (16, 1), (16, 2)):
        book.write("rlp", 1, 70.0 + rank, shots=shots, options={"rank": rank})
    book.store.write_plan([book.run("rlp", 1, "few-shot", "pets", shots=4, options={"rank": 2}).describe()])
    text = latex(book)
    assert columns(text)[2:] == [r"\shortstack{rlp\\(rank=2)}", r"\shortstack{rlp\\(rank=1)}"]
    assert lines(text) == [
        ["pets", "1", "72.00", "--"],
        ["", "4", "--", "--"],
        ["", "16", r"\textbf{72.00}", "71.00"],
    ]


def test_what_is_asked_for_stands_under_the_method_that_has_results(book: Any) -> None:
    own = {"protocol": "cross-dataset", "code": "c0de"}
    book.write("mine", 1, 70.0, dataset="cars", **own)
    asked = [book.run("mine", seed, "cross-dataset", "pets", code="c0de") for seed in (1, 2)]
    book.store.write_plan([one.describe() for one in asked])
    text = latex(book)
    assert lines(text) == [["Method", "imagenet", "cars", "pets"], ["mine", "70.00", "70.00", "--"]]
    assert "Of the runs asked for, 2 missing, 0 failed." in caption(text)


def test_the_accuracy_on_the_source_is_that_of_the_most_seeds(book: Any) -> None:
    for dataset, seeds in (("cars", (1,)), ("dogs", (1, 2)), ("pets", (1,))):
        for seed in seeds:
            more = {"source_accuracy": 70.0 + seed}
            book.write("coop", seed, 50.0, dataset=dataset, protocol="cross-dataset", more=more)
    _, [name, source, *_] = lines(latex(book))
    assert (name, source) == ("coop", r"71.50 {\scriptsize $\pm$0.50}$^{a}$")


def test_accuracies_on_the_source_that_differ_are_averaged(book: Any) -> None:
    for dataset, accuracy in (("cars", 70.0), ("pets", 72.0)):
        more = {"source_accuracy": accuracy}
        book.write("coop", 1, 50.0, dataset=dataset, protocol="cross-dataset", more=more)
    assert lines(latex(book))[1] == ["coop", "71.00", "50.00", "50.00", "50.00"]


def test_a_table_of_which_nothing_was_run_yet(book: Any) -> None:
    for dataset in ("cars", "pets"):
        book.write("coop", 1, 70.0, dataset=dataset)
    asked = [book.run(method, 1, "few-shot", "pets") for method in ("coop", "rlp")]
    asked += [book.run("coop", 1, "base-to-new", "pets")]
    book.store.write_plan([one.describe() for one in asked])
    few, other, _ = latex(book).split(r"\end{table}")
    assert lines(other) == [["pets", "Base", "--"], ["", "New", "--"], ["", "H", "--"]]
    assert caption(other) == (
        "Base-to-new, 16 shots, backbone mini, float32. Top-1 accuracy in percent on base and new classes, "
        "and H, the harmonic mean of the two means. --: no result. Of the runs asked for, 1 missing, 0 "
        "failed."
    )
    assert lines(few)[-1] == ["average", "16", "70.00", "--"]
    assert caption(few).endswith("Seed 1. --: no result. Of the runs asked for, 1 missing, 0 failed.")


def test_comparisons_have_tables_and_labels_of_their_own(book: Any) -> None:
    book.write("coop", 1, 70.0, 60.0, shots=1)
    book.write("coop", 1, 71.0, 61.0)
    book.write("coop", 1, 72.0, 62.0, **OTHER)
    book.write("coop", 1, 73.0, dataset="a", protocol="cross-dataset")
    book.write("coop", 1, 74.0, dataset="a", protocol="cross-dataset", source="mini%", source_data="m-1")
    book.write("coop", 1, 75.0, protocol="few-shot")
    text = latex(book)
    labels = re.findall(r"\\label\{(.*)\}", text)
    assert labels == [
        "tab:base-to-new-1-shot-backbone-mini",
        "tab:base-to-new-16-shots-backbone-vit-b-16",
        "tab:base-to-new-16-shots-backbone-mini",
        "tab:cross-dataset-trained-on-imagenet",
        "tab:cross-dataset-trained-on-mini",
        "tab:few-shot",
    ]
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 6
    assert r"16 shots, backbone ViT\_B/16, float32" in text and r"trained on mini\%, backbone" in text


def test_labels_that_would_be_the_same_are_numbered(book: Any) -> None:
    for i, name in enumerate(("a b", "a-b", "a+b")):
        book.write("coop", 1, 70.0, protocol="cross-dataset", source=name, source_data=f"{i}")
    labels = re.findall(r"\\label\{(.*)\}", latex(book))
    assert labels[0] == "tab:cross-dataset-trained-on-a-b" and len(set(labels)) == 3


def test_namesakes_are_told_apart(book: Any) -> None:
    book.write("coop", 1, 70.0, 60.0)
    book.write("coop", 1, 71.0, 61.0, fingerprint="d-e-f")
    book.write("coop", 1, 72.0, protocol="cross-dataset")
    book.write("coop", 1, 73.0, protocol="cross-dataset", source_data="i-2")
    text = latex(book)
    for words in ("backbone mini a-b-c,", "backbone mini d-e-f,", "on imagenet i-1,", "on imagenet i-2,"):
        assert words in text


def test_contents_of_one_name_have_lines_of_their_own(book: Any) -> None:
    book.write("coop", 1, 70.0, data="one-content")
    book.write("coop", 2, 71.0, data="two-content")
    assert lines(latex(book)) == [["pets one-co", "16", "70.00"], ["pets two-co", "16", "71.00$^{a}$"]]


def test_what_is_missing_of_a_line_adds_no_other(book: Any) -> None:
    book.write("coop", 1, 70.0, data="one-content", shots=1)
    book.write("coop", 1, 71.0, data="two-content")
    book.store.write_plan([book.run("coop", 2, "few-shot", "pets").describe()])
    assert lines(latex(book)) == [["pets one-co", "1", "70.00"], ["pets two-co", "16", "71.00"]]


def test_several_rows_of_one_method_have_no_cell(book: Any) -> None:
    book.write("zero_shot", 1, 70.0)
    book.write("zero_shot", 1, 71.0, options={"template": "another {}."})
    book.write("coop", 1, 72.0)
    text = latex(book)
    assert [line[2:] for line in lines(text)] == [["72.00", "--"]]
    assert r"Not shown, as there are several rows: zero\_shot on pets." in caption(text)


def test_schedules_are_told_by_method(book: Any) -> None:
    slow = {"name": "slow", "lr": 0.1}
    book.write("zero_shot", 1, 60.0)
    book.write("coop", 1, 70.0)
    book.write("rlp", 1, 71.0, settings=slow)
    assert "float32, schedule slow for rlp, schedule fast for coop. Top-1" in caption(latex(book))
    book.write("coop", 1, 72.0, settings=slow)
    text = latex(book)
    assert "float32, schedule slow for rlp. Top-1" in caption(text)
    coop = (r"\shortstack{coop\\(schedule=slow)}", r"\shortstack{coop\\(schedule=fast)}")
    assert columns(text)[2:] == [r"zero\_shot", coop[0], "rlp", coop[1]]  # by accuracy


def test_names_are_escaped(book: Any) -> None:
    name = r"[a]_&%#${}~^\*b" + "\n<|>"
    told = (
        r"{[}a{]}\_\&\%\#\$\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}{*}b "
        r"\textless{}\textbar{}\textgreater{}"
    )
    assert escaped(name) == told
    book.write("coop", 1, 70.0, dataset=name)
    book.write("m&m_50%", 1, 71.0, dataset=name)
    text = latex(book)
    assert lines(text) == [[told, "16", r"\textbf{71.00}", "70.00"]]
    assert columns(text)[2:] == [r"m\&m\_50\%", "coop"]


def test_heads_of_columns_are_stacked() -> None:
    assert stacked("tip_adapter_f") == r"tip\_adapter\_f"  # as wide as a number with its deviation
    assert stacked("tip_adapter_ff") == r"\shortstack{tip\_adapter\_\\ff}"
    assert stacked("tip (a=1.17, b_c=10)") == r"\shortstack{tip\\(a=1.17,\\b\_c=10)}"
    assert stacked("(schedule=coop_and_more)") == r"\shortstack{(schedule=coop\_\\and\_more)}"
    assert stacked(" a, ") == "a," and stacked("averylongnameinonepiece-") == "averylongnameinonepiece-"


def test_marks_never_run_out() -> None:
    assert [mark(i) for i in (0, 1, 26, 27, 53)] == ["", "$^{a}$", "$^{z}$", "$^{aa}$", "$^{aaa}$"]


@pytest.mark.parametrize(
    ("methods", "datasets", "size"),
    [(8, 1, []), (9, 1, [r"\small", r"\setlength{\tabcolsep}{3pt}"]), (1, 13, [r"\footnotesize"])],
)
def test_much_is_set_smaller(methods: int, datasets: int, size: list[str], book: Any) -> None:
    for method in range(methods):
        for dataset in range(datasets):
            book.write(f"m{method}", 1, 70.0, 60.0, dataset=f"d{dataset}")
    text = latex(book)
    between = text[text.index(r"\label") : text.index(r"\begin{tabular}")].split("\n")[1:-1]
    assert [line.strip() for line in between] == size


def test_a_table_of_all_shots_fits_on_a_page(book: Any) -> None:
    for dataset in range(11):
        for shots in (1, 2, 4, 8, 16):
            book.write("coop", 1, 70.0, dataset=f"d{dataset}", shots=shots)
    assert "\n  \\scriptsize\n" in latex(book)


def test_nothing_to_tell(book: Any) -> None:
    book.store.folder.mkdir()
    assert latex(book) == f"{HEAD}\n% no results yet\n"


@pytest.mark.slow
def test_the_numbers_are_those_of_the_markdown_tables() -> None:
    from promptlet.protocols import RunStore

    results = Path(__file__).parents[2] / "benchmarks" / "results"
    summary = summarise(
        [RunStore(results / f"{name}.jsonl.gz") for name in ("base-to-new-mini", "few-shot-mini")]
    )
    text, markdown = render(summary, "latex"), render(summary)
    tables = markdown.split("\n## Differences")[0]
    told = re.findall(r"(\d+\.\d\d) ± (\d+\.\d\d)", tables)
    shown = re.findall(r"(\d+\.\d\d)\}? \{\\scriptsize \$\\pm\$(\d+\.\d\d)\}", text)
    assert len(shown) > 500 and sorted(shown) == sorted(told)


def test_the_suffix_and_what_is_refused(book: Any, tmp_path: Path) -> None:
    book.write("coop", 1, 70.0)
    summary = summarise(book.store)
    write_report(tmp_path / "a.TEX", summary)
    assert (tmp_path / "a.TEX").read_text() == render(summary, "latex")
    assert format_of(None, Path("a.tex")) == format_of("latex", None) == "latex"
    for choices, words in (
        ({"against": "coop"}, "--against coop is of paired differences, which latex has no place for"),
        ({"published": True}, "--published is of published numbers, which latex has no place for"),
        ({"rows": True}, "--rows is a table of single runs, which latex has no place for; write it as csv"),
    ):
        with pytest.raises(OptionError, match=words):
            render(summary, "latex", **choices)
        with pytest.raises(OptionError, match=words):
            write_report(tmp_path / "b.tex", summary, **choices)
    assert not (tmp_path / "b.tex").exists()
