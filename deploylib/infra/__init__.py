"""Terraform: run through python-terraform, its plan as a value, its state in a bucket that we make."""
