r"""The table of identities: every formula of the book, stated once.

The numerical test, the exact proof, the comparison with automatic differentiation, the planted errors, the
generic widget and the catalogue page are all derived from :data:`TABLE`.  What an entry holds is said in the
classes.

>>> entry = identities.TABLE["logdet"]
>>> print(entry.statement, "for S", entry.where["S"].name)
d\log|S| = \tr(S^{-1}\, dS) for S invertible
>>> entry.gradient({"S": np.diag([2.0, 4.0])}, "free")
array([[0.5 , 0.  ],
       [0.  , 0.25]])
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mvnlib import _table_matrices, _table_normal, _table_second, _table_toolkit
from mvnlib._kinds import Differentiable, Differential, Equality, Gradient, Identity, Point

__all__ = ["TABLE", "Differentiable", "Differential", "Equality", "Gradient", "Identity", "Point"]

#: Every identity by its key.
TABLE: Mapping[str, Identity] = MappingProxyType(
    {
        entry.key: entry
        for part in (_table_toolkit, _table_matrices, _table_normal, _table_second)
        for entry in part.ENTRIES
    }
)
