mock_provider "aws" {}

variables {
  name         = "shop"
  force_delete = false
}

run "a_deployed_digest_keeps_its_tag_and_is_never_expired" {
  command = plan

  assert {
    condition     = aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE"
    error_message = "a tag that can move leaves a deployed digest without one"
  }

  assert {
    condition     = [for rule in jsondecode(aws_ecr_lifecycle_policy.this.policy).rules : rule.selection.tagStatus] == ["untagged"]
    error_message = "no rule may match an image with a tag"
  }

  assert {
    condition     = alltrue([for rule in jsondecode(aws_ecr_lifecycle_policy.this.policy).rules : rule.selection.countType == "sinceImagePushed"])
    error_message = "a rule that counts images does not know which of them run"
  }

  assert {
    condition     = jsondecode(aws_ecr_lifecycle_policy.this.policy).rules[0].selection.countNumber >= 1
    error_message = "the children of a multi-platform image come before their index: they need time to get it"
  }
}

run "what_expires_by_age_whatever_its_tags_is_the_cache_alone" {
  command = plan

  assert {
    condition     = aws_ecr_lifecycle_policy.cache.repository == "shop-cache" && aws_ecr_lifecycle_policy.this.repository == "shop"
    error_message = "a rule about all tags in the repository of the images would remove releases"
  }
}

run "layer_caches_have_a_repository_of_their_own" {
  command = plan

  assert {
    condition     = aws_ecr_repository.cache.name == "shop-cache" && aws_ecr_repository.cache.image_tag_mutability == "MUTABLE"
    error_message = "a cache's tag moves with every build"
  }
}

run "nonsense_is_refused" {
  command = plan

  variables {
    name          = "Shop"
    untagged_days = 0
    cache_days    = 0
  }

  expect_failures = [var.name, var.untagged_days, var.cache_days]
}
