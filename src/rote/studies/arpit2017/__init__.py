"""Arpit et al. 2017, a closer look at memorization: what its experiments share.

What each experiment's runs are judged by stands in a module of its own, named like the experiment;
``claims`` puts them together.
"""
