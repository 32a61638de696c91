"""What production finds out changes what is done next: a rule, an event, an act, and the chain between them in the ledger."""
