"""The papers behind the methods and measures, as BibTeX. Loads no torch, so that a report can quote it."""

from __future__ import annotations

from collections.abc import Iterable

PAPERS: dict[str, str] = {
    "radford2021clip": """@inproceedings{radford2021clip,
  title={Learning Transferable Visual Models From Natural Language Supervision},
  author={Radford, Alec and Kim, Jong Wook and Hallacy, Chris and Ramesh, Aditya and Goh, Gabriel and others},
  booktitle={ICML}, year={2021}}""",
    "zhou2022coop": """@article{zhou2022coop,
  title={Learning to Prompt for Vision-Language Models},
  author={Zhou, Kaiyang and Yang, Jingkang and Loy, Chen Change and Liu, Ziwei},
  journal={International Journal of Computer Vision}, year={2022}}""",
    "zhou2022cocoop": """@inproceedings{zhou2022cocoop,
  title={Conditional Prompt Learning for Vision-Language Models},
  author={Zhou, Kaiyang and Yang, Jingkang and Loy, Chen Change and Liu, Ziwei},
  booktitle={CVPR}, year={2022}}""",
    "yao2023kgcoop": """@inproceedings{yao2023kgcoop,
  title={Visual-Language Prompt Tuning with Knowledge-guided Context Optimization},
  author={Yao, Hantao and Zhang, Rui and Xu, Changsheng},
  booktitle={CVPR}, year={2023}}""",
    "zhu2023prograd": """@inproceedings{zhu2023prograd,
  title={Prompt-aligned Gradient for Prompt Tuning},
  author={Zhu, Beier and Niu, Yulei and Han, Yucheng and Wu, Yue and Zhang, Hanwang},
  booktitle={ICCV}, year={2023}}""",
    "li2025dekg": """@inproceedings{li2025dekg,
  title={Divergence-enhanced Knowledge-guided Context Optimization for Visual-Language Prompt Tuning},
  author={Li, Yilun and Cheng, Miaomiao and Han, Xu and Song, Wei},
  booktitle={ICLR}, year={2025}}""",
    "hao2023rlp": """@article{hao2023rlp,
  title={Re-parameterized Low-rank Prompt: Generalize a Vision-Language Model within 0.5K Parameters},
  author={Hao, Tianxiang and Lyu, Mengyao and Chen, Hui and Zhao, Sicheng and Han, Jungong
    and Ding, Guiguang},
  journal={arXiv preprint arXiv:2312.10813}, year={2023}}""",
    "hao2024qprompt": """@inproceedings{hao2024qprompt,
  title={Quantized Prompt for Efficient Generalization of Vision-Language Models},
  author={Hao, Tianxiang and Ding, Xiaohan and Feng, Juexiao and Yang, Yuhong and Chen, Hui
    and Ding, Guiguang},
  booktitle={ECCV}, year={2024}}""",
    "jia2022vpt": """@inproceedings{jia2022vpt,
  title={Visual Prompt Tuning},
  author={Jia, Menglin and Tang, Luming and Chen, Bor-Chun and Cardie, Claire and Belongie, Serge
    and Hariharan, Bharath and Lim, Ser-Nam},
  booktitle={ECCV}, year={2022}}""",
    "khattak2023maple": """@inproceedings{khattak2023maple,
  title={MaPLe: Multi-modal Prompt Learning},
  author={Khattak, Muhammad Uzair and Rasheed, Hanoona and Maaz, Muhammad and Khan, Salman
    and Khan, Fahad Shahbaz},
  booktitle={CVPR}, year={2023}}""",
    "khattak2023promptsrc": """@inproceedings{khattak2023promptsrc,
  title={Self-regulating Prompts: Foundational Model Adaptation without Forgetting},
  author={Khattak, Muhammad Uzair and Wasim, Syed Talal and Naseer, Muzammal and Khan, Salman
    and Yang, Ming-Hsuan and Khan, Fahad Shahbaz},
  booktitle={ICCV}, year={2023}}""",
    "ghiasvand2026mmlop": """@article{ghiasvand2026mmlop,
  title={MMLoP: Multi-Modal Low-Rank Prompting for Efficient Vision-Language Adaptation},
  author={Ghiasvand, Sajjad and Oskouie, Haniyeh Ehsani and Alizadeh, Mahnoosh and Pedarsani, Ramtin},
  journal={arXiv preprint arXiv:2602.21397}, year={2026}}""",
    "gao2024clipadapter": """@article{gao2024clipadapter,
  title={CLIP-Adapter: Better Vision-Language Models with Feature Adapters},
  author={Gao, Peng and Geng, Shijie and Zhang, Renrui and Ma, Teli and Fang, Rongyao and Zhang, Yongfeng
    and Li, Hongsheng and Qiao, Yu},
  journal={International Journal of Computer Vision}, year={2024}}""",
    "zhang2022tip": """@inproceedings{zhang2022tip,
  title={Tip-Adapter: Training-Free Adaption of {CLIP} for Few-Shot Classification},
  author={Zhang, Renrui and Zhang, Wei and Fang, Rongyao and Gao, Peng and Li, Kunchang
    and Dai, Jifeng and Qiao, Yu and Li, Hongsheng},
  booktitle={ECCV}, year={2022}}""",
    "wang2024hard": """@inproceedings{wang2024hard,
  title={A Hard-to-Beat Baseline for Training-free {CLIP}-based Adaptation},
  author={Wang, Zhengbo and Liang, Jian and Sheng, Lijun and He, Ran and Wang, Zilei and Tan, Tieniu},
  booktitle={ICLR}, year={2024}}""",
    "silvarodriguez2024closer": """@inproceedings{silvarodriguez2024closer,
  title={A Closer Look at the Few-Shot Adaptation of Large Vision-Language Models},
  author={Silva-Rodr{\'i}guez, Julio and Hajimiri, Sina and Ben Ayed, Ismail and Dolz, Jose},
  booktitle={CVPR}, year={2024}}""",
    "huang2024lppp": """@inproceedings{huang2024lppp,
  title={{LP++}: A Surprisingly Strong Linear Probe for Few-Shot {CLIP}},
  author={Huang, Yunshi and Shakeri, Fereshteh and Dolz, Jose and Boudiaf, Malik and Bahig, Houda
    and Ben Ayed, Ismail},
  booktitle={CVPR}, year={2024}}""",
    "fahes2026prolip": """@inproceedings{fahes2026prolip,
  title={{CLIP}'s Visual Embedding Projector is a Few-shot Cornucopia},
  author={Fahes, Mohammad and Vu, Tuan-Hung and Bursuc, Andrei and P{\'e}rez, Patrick
    and de Charette, Raoul},
  booktitle={WACV}, year={2026}}""",
    "zanella2024low": """@inproceedings{zanella2024low,
  title={Low-Rank Few-Shot Adaptation of Vision-Language Models},
  author={Zanella, Maxime and Ben Ayed, Ismail},
  booktitle={CVPR Workshops}, year={2024}}""",
    "koleilat2025clipsvd": """@article{koleilat2025clipsvd,
  title={Singular Value Few-shot Adaptation of Vision-Language Models},
  author={Koleilat, Taha and Rivaz, Hassan and Xiao, Yiming},
  journal={arXiv preprint arXiv:2509.03740}, year={2025}}""",
    "farina2025rethinking": """@inproceedings{farina2025rethinking,
  title={Rethinking Few-Shot Adaptation of Vision-Language Models in Two Stages},
  author={Farina, Matteo and Mancini, Massimiliano and Iacca, Giovanni and Ricci, Elisa},
  booktitle={CVPR}, year={2025}}""",
    "hua2025openworldauc": """@inproceedings{hua2025openworldauc,
  title={{OpenworldAUC}: Towards Unified Evaluation and Optimization for Open-world Prompt Tuning},
  author={Hua, Cong and Xu, Qianqian and Yang, Zhiyong and Wang, Zitai and Bao, Shilong
    and Huang, Qingming},
  booktitle={ICML}, year={2025}}""",
}
"""By BibTeX key."""

PAPER_OF: dict[str, str] = {
    "zero_shot": "radford2021clip",
    "zero_shot_ensemble": "radford2021clip",
    "coop": "zhou2022coop",
    "cocoop": "zhou2022cocoop",
    "kgcoop": "yao2023kgcoop",
    "dekg": "li2025dekg",
    "prograd": "zhu2023prograd",
    "rlp": "hao2023rlp",
    "dip_do": "hao2023rlp",
    "dip_pp": "hao2023rlp",
    "qcoop": "hao2024qprompt",
    "vpt": "jia2022vpt",
    "ivlp": "khattak2023maple",
    "maple": "khattak2023maple",
    "promptsrc": "khattak2023promptsrc",
    "mmlop": "ghiasvand2026mmlop",
    "clip_adapter": "gao2024clipadapter",
    "tip_adapter": "zhang2022tip",
    "tip_adapter_f": "zhang2022tip",
    "linear_probe": "radford2021clip",
    "gda": "wang2024hard",
    "zs_lp": "silvarodriguez2024closer",
    "clap": "silvarodriguez2024closer",
    "lp_pp": "huang2024lppp",
    "prolip": "fahes2026prolip",
    "clip_lora": "zanella2024low",
    "clip_svd": "koleilat2025clipsvd",
    "two_sfs": "farina2025rethinking",
}
"""The key of each method's paper."""


PAPER_OF_MEASURE: dict[str, str] = {"all-names": "hua2025openworldauc"}
"""By protocol: the key of the paper of what it alone measures."""


def bibtex(method: str) -> str:
    """The BibTeX entry of a method's paper; empty for a method that is not known."""
    return PAPERS.get(PAPER_OF.get(method, ""), "")


def bibliography(methods: Iterable[str]) -> list[str]:
    """The entries of several methods' papers, each once, in the order given."""
    return list(dict.fromkeys(entry for entry in map(bibtex, methods) if entry))


def bibliographies(methods: Iterable[str], protocols: Iterable[str]) -> dict[str, list[str]]:
    """By title: the entries of the methods' papers, and of those of what the protocols measure, each once."""
    found = {
        "Papers of these methods": bibliography(methods),
        "Papers of these measures": [PAPERS[PAPER_OF_MEASURE[n]] for n in protocols if n in PAPER_OF_MEASURE],
    }
    return {title: entries for title, entries in found.items() if entries}
