-- Which partition was written or loaded with how many rows: from the provenance beside the files of
-- the lake, or from the ledger of the warehouse.
{{ config(materialized='table') }}
{{ recorded_partitions() }}
