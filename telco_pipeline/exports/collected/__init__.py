"""Files of records as network elements close them and mediation collects them (TS 32.297).

Belongs here: which files arrive when and what lies in them, their two formats, dirt on purpose and
its truth. Does not belong here: the dataset `collected_files` (`oss.collection`), the encoding of
a record (`exports.asn1`).
"""
