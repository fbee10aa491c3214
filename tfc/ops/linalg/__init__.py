"""Linear algebra of dense matrices, batched over leading dimensions. Its ops run on LAPACK."""
