"""The engine `ray`: a cluster, shared features, tasks."""
