"""Records in ASN.1 BER by the field tags of TS 32.298: what a charging gateway hands on.

Belongs here: the module `telco_cdr.asn`, values of its types from rows, encoding, decoding. Does
not belong here: files and their headers (`exports.collected`).
"""
