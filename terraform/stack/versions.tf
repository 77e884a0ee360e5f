terraform {
  required_version = ">= 1.11" # use_lockfile, write-only arguments

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 6.0"
    }
  }

  # `inv infra.init` gives bucket, key and region from environments/ENV.toml.
  backend "s3" {
    encrypt        = true
    use_lockfile   = true
    use_path_style = true # AWS takes both styles, an endpoint on this machine has no host name per bucket
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id] # the second lock on the door; deploylib's account guard is the first
  s3_use_path_style   = true             # as the backend's

  default_tags {
    tags = {
      app         = var.app
      environment = var.environment
      managed-by  = "terraform"
    }
  }
}
