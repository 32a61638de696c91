"""Infrastructure: an environment's folder of Terraform or OpenTofu, its states, its plans and what came of them."""
