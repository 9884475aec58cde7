"""Is it really the same picture? What verification sees, aligns, compares and concludes.

``look`` reduces a picture to what is compared, ``alignment`` finds where one lies in the other, ``comparing`` and
``differences`` compare them place by place, ``evidence`` gathers the numbers, ``judging`` makes a tier of them.
"""
