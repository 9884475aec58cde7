"""What a threshold finds and what it confuses, measured on edited copies of the user's own pictures.

Nothing of the user's is changed: copies are made in a temporary folder, and a database is only read.
"""

from dedup.calibration.calibrating import CalibrateOptions, Calibration, calibrate
from dedup.calibration.plotting import place_for_plot, write_plot
from dedup.calibration.table import as_json, lines

__all__ = ["CalibrateOptions", "Calibration", "as_json", "calibrate", "lines", "place_for_plot", "write_plot"]
