-- Read every value of the target table, so that a damaged block is noticed. Output: one number.
SELECT bit_xor(hash(t)) FROM lake.main.{{ table | ident }} AS t;
