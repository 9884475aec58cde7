"""Damaged input at random: ``python -m tests.fuzz --minutes 10 --seed 1``. What is no answer in words is a finding."""
