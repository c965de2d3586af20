"""A stand-in for the tree-tagger program: one token a line in, tagged line out.

Knows a few words; everything else is unknown. Lines in angle brackets pass as they
are, as with -sgml. Every line is flushed, because the wrapper waits for it.
"""

import sys

LEMMAS = {
    "gustan": ("VLfin", "gustar"),
    "perros": ("NC", "perro"),
    "darse": ("VCLIinf", "dar-se"),
    "veinte": ("CARD", "@card@"),
    "sabe": ("VLfin", "saber_x"),
    "nada": ("VLfin", "nadar"),
}

assert "-token" in sys.argv
assert "-lemma" in sys.argv
assert sys.argv[-1].endswith(".par")
for line in iter(sys.stdin.buffer.readline, b""):
    token = line.decode("utf-8").rstrip("\n")
    if not (token.startswith("<") and token.endswith(">")):
        tag, lemma = LEMMAS.get(token, ("NC", "<unknown>"))
        token = f"{token}\t{tag}\t{lemma}"
    sys.stdout.buffer.write(token.encode("utf-8") + b"\n")
    sys.stdout.buffer.flush()
