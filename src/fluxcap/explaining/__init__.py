"""One packet, taken apart: its headers, its sums word by word, the reasons of its verdicts, who was handed it."""
