"""One module per stage; the module, the asset and the table share one plural noun."""
