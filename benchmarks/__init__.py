"""What the speed and memory claims of the documentation rest on: `make bench` measures them anew.

Each benchmark runs alone too: `python -m benchmarks.transform`, from the project's folder. Figures are ratios against
something measured in the same run, since machines differ and are noisy.
"""
