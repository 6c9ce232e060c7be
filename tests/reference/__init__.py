"""A second, naive implementation of the product's rules, to compare the product with.

It was written from the domain rules alone and shares nothing with the product: exact fractions, whole histories looked
through for every question, no database, no caches but one. Where the two differ, one of them is wrong.

It takes what it is given for sound: what an import must refuse is left to the product, whose refusals are followed.
`python3 -m reference --help`, run in the folder above, says how to compare the two.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit("the reference needs Python 3.11 or later")
