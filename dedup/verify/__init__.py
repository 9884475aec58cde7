"""Is it really the same picture? What verification sees, aligns, compares and concludes.

``look`` reduces a picture to what is compared, ``alignment`` finds where one lies in the other, ``comparing`` and
``differences`` compare them place by place, ``views`` holds both in one frame, ``evidence`` gathers the numbers,
``judging`` makes a tier of them.
"""
