"""How fast rote trains, against PyTorch and Flax: ``python -m scripts.benchmark --help``.

``workloads`` says what is timed against what, ``driver`` starts one process per contender, which
take ``turns``; ``workers`` holds what they run, ``paired`` the statistics, ``report`` the tables.
The driver loads no framework.
"""
