# Every validation refuses. The variables alone are asked: that needs no provider, and takes no time.
variables {
  name = "shop-stg"

  signers = {
    github   = {}
    gitlab   = { url = "https://gitlab.acme.example" }
    circleci = { organization = "8d4f1a2b-0c3d-4e5f-8a9b-0c1d2e3f4a5b" }
  }

  jobs = {
    deploy = {
      trusted = {
        github   = ["repo:acme/shop:environment:stg", "repo:acme/shop:ref:refs/tags/v*"]
        gitlab   = ["project_path:acme/web/shop:ref_type:branch:ref:main"]
        circleci = ["org/8d4f1a2b-0c3d-4e5f-8a9b-0c1d2e3f4a5b/project/11111111-2222-3333-4444-555555555555/user/*"]
      }
    }
    plan = {
      trusted         = { github = ["repo:acme/shop:pull_request"] }
      policy_arns     = ["arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::111111111111:policy/state"]
      session_minutes = 120
      boundary_arn    = "arn:aws:iam::111111111111:policy/boundary"
    }
  }
}

run "names_that_are_none_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    name = "no spaces"
  }

  expect_failures = [var.name]
}

run "another_signer_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    signers = { jenkins = {} }
    jobs    = {}
  }

  expect_failures = [var.signers]
}

run "a_circleci_without_its_organization_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    signers = { circleci = {} }
    jobs    = {}
  }

  expect_failures = [var.signers]
}

run "an_organization_that_is_no_id_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    signers = { circleci = { organization = "acme" } }
    jobs    = {}
  }

  expect_failures = [var.signers]
}

run "a_url_without_tls_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    signers = { gitlab = { url = "http://gitlab.acme.example/" } }
    jobs    = {}
  }

  expect_failures = [var.signers]
}

run "an_arn_of_something_else_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    signers = { github = { arn = "arn:aws:iam::111111111111:role/github" } }
    jobs    = {}
  }

  expect_failures = [var.signers]
}

run "every_repository_is_too_many" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    jobs = { deploy = { trusted = { github = ["repo:acme/*:ref:refs/heads/main"] } } }
  }

  expect_failures = [var.jobs]
}

run "every_job_of_a_repository_is_too_many" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    jobs = { deploy = { trusted = { github = ["repo:acme/shop:*"] } } }
  }

  expect_failures = [var.jobs]
}

run "every_project_is_too_many" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    jobs = { deploy = { trusted = { gitlab = ["project_path:acme/*:ref_type:branch:ref:main"] } } }
  }

  expect_failures = [var.jobs]
}

run "another_organization_s_project_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    jobs = { deploy = { trusted = { circleci = ["org/99999999-0c3d-4e5f-8a9b-0c1d2e3f4a5b/project/11111111-2222-3333-4444-555555555555/user/*"] } } }
  }

  expect_failures = [var.jobs]
}

run "jobs_that_nobody_signs_are_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    signers = { github = {} }
    jobs    = { deploy = { trusted = { gitlab = ["project_path:acme/shop:ref_type:tag:ref:v*"] } } }
  }

  expect_failures = [var.jobs]
}

run "a_job_without_subjects_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    jobs = { plan = { trusted = { github = [] } } }
  }

  expect_failures = [var.jobs]
}

run "a_policy_by_its_name_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    jobs = { plan = { trusted = { github = ["repo:acme/shop:pull_request"] }, policy_arns = ["ReadOnlyAccess"] } }
  }

  expect_failures = [var.jobs]
}

run "a_session_of_five_minutes_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    jobs = { plan = { trusted = { github = ["repo:acme/shop:pull_request"] }, session_minutes = 5 } }
  }

  expect_failures = [var.jobs]
}

run "a_boundary_by_its_name_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    jobs = { plan = { trusted = { github = ["repo:acme/shop:pull_request"] }, boundary_arn = "boundary" } }
  }

  expect_failures = [var.jobs]
}

run "an_organization_of_github_is_refused" {
  command = plan

  module {
    source = "./tests/variables"
  }

  variables {
    signers = { github = { organization = "8d4f1a2b-0c3d-4e5f-8a9b-0c1d2e3f4a5b" } }
    jobs    = {}
  }

  expect_failures = [var.signers]
}
