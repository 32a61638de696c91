"""DEPLOY   revisions, plan and the reconcile that makes an environment what its revision says."""
