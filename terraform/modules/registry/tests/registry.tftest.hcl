mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
}

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

run "images_are_scanned_and_encrypted" {
  command = plan

  assert {
    condition     = aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push
    error_message = "every push is scanned"
  }

  assert {
    condition     = aws_ecr_repository.this.encryption_configuration[0].encryption_type == "AES256"
    error_message = "without a key of ours ECR encrypts with its own"
  }
}

run "a_key_of_ours_encrypts_the_images" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:ap-northeast-1:111111111111:key/1"
  }

  assert {
    condition     = one(aws_ecr_repository.this.encryption_configuration) == { encryption_type = "KMS", kms_key = "arn:aws:kms:ap-northeast-1:111111111111:key/1" }
    error_message = "the key encrypts"
  }
}

run "alone_in_its_account_it_needs_no_policy" {
  command = plan

  assert {
    condition     = length(aws_ecr_repository_policy.this) == 0
    error_message = "no one of another account is let in"
  }
}

run "other_accounts_pull_or_push_as_said" {
  command = apply

  variables {
    pull_principals = ["222222222222"]
    push_principals = ["arn:aws:iam::333333333333:role/promote"]
  }

  assert {
    condition = { for statement in data.aws_iam_policy_document.this.statement : statement.sid => one(one(statement.principals).identifiers) } == {
      Pull = "arn:aws:iam::222222222222:root", Push = "arn:aws:iam::333333333333:role/promote"
    }
    error_message = "an account is named by its root, a role by itself"
  }

  assert {
    condition     = !anytrue([for action in data.aws_iam_policy_document.this.statement[0].actions : can(regex("Put|Upload|Delete", action))])
    error_message = "who pulls changes nothing"
  }

  assert {
    condition     = contains(data.aws_iam_policy_document.this.statement[1].actions, "ecr:PutImage") && contains(data.aws_iam_policy_document.this.statement[1].actions, "ecr:BatchGetImage")
    error_message = "who pushes also sees what is there"
  }

  assert {
    condition     = !anytrue([for action in flatten(data.aws_iam_policy_document.this.statement[*].actions) : can(regex("Delete|Policy", action))])
    error_message = "no one of another account removes an image or changes who may"
  }

  assert {
    condition     = length(aws_ecr_repository_policy.this) == 1 && aws_ecr_repository_policy.this[0].repository == "shop"
    error_message = "the policy is on the images' repository"
  }
}
