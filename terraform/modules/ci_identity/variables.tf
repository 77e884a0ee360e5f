variable "name" {
  description = "Prefix of the roles' names, for example `shop-stg`."
  type        = string

  validation {
    condition     = alltrue([for job in concat(["x"], keys(var.jobs)) : can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", "${var.name}-ci-${job}"))])
    error_message = "a role is named NAME-ci-JOB, 64 characters that a role's name may have: ${join(", ", [for job in keys(var.jobs) : "${var.name}-ci-${job}"])}."
  }
}

variable "signers" {
  description = <<-EOT
    Who signs tokens: `github`, `gitlab`, `circleci`. `arn` adopts the provider that the account has already; `url` is of a GitLab or GitHub Enterprise
    of one's own; `organization` is CircleCI's organization id, part of its URL and its audience; `audience` is what a job asks its token for, when it
    is not the usual one.
  EOT
  type = map(object({
    arn          = optional(string)
    url          = optional(string)
    audience     = optional(string)
    organization = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(setsubtract(keys(var.signers), ["github", "gitlab", "circleci"])) == 0
    error_message = "there are github, gitlab and circleci; not ${join(", ", setsubtract(keys(var.signers), ["github", "gitlab", "circleci"]))}."
  }

  validation {
    condition     = alltrue([for kind, signer in var.signers : (kind == "circleci") == (signer.organization != null)])
    error_message = "organization is CircleCI's, and it cannot do without: ${join(", ", [for kind, signer in var.signers : kind if(kind == "circleci") != (signer.organization != null)])}."
  }

  validation {
    condition     = alltrue([for one in compact(values(var.signers)[*].organization) : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", one))])
    error_message = "organization is an id like 8d4f1a2b-0c3d-4e5f-8a9b-0c1d2e3f4a5b; it is ${join(", ", compact(values(var.signers)[*].organization))}."
  }

  validation {
    condition     = alltrue([for one in compact(values(var.signers)[*].url) : can(regex("^https://[a-z0-9.-]+(/[A-Za-z0-9._/-]*[A-Za-z0-9])?$", one))])
    error_message = "a signer's url starts with https:// and has no / at its end; it is ${join(", ", compact(values(var.signers)[*].url))}."
  }

  validation {
    condition     = alltrue([for one in compact(values(var.signers)[*].arn) : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/.+$", one))])
    error_message = "a signer's arn looks like arn:aws:iam::111111111111:oidc-provider/gitlab.com; it is ${join(", ", compact(values(var.signers)[*].arn))}."
  }
}

variable "jobs" {
  description = <<-EOT
    Kinds of jobs, by name. `trusted` says which jobs these are: subjects of their tokens, by signer. GitHub: `repo:acme/shop:environment:stg` or
    `repo:acme/shop:ref:refs/heads/main`, of newer repositories `repo:acme@12/shop@34:…` with both ids. GitLab:
    `project_path:acme/shop:ref_type:branch:ref:main`. CircleCI: `org/ORGANIZATION/project/PROJECT/user/*`. A `*` stands for anything,
    but never in what names the project. With `policy_arns` there is a role for them; without, the output `web_identities` tells a role
    that is made elsewhere whom to trust.
  EOT
  type = map(object({
    trusted         = map(list(string))
    policy_arns     = optional(list(string), [])
    session_minutes = optional(number, 60)
    boundary_arn    = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(setsubtract(flatten([for job in values(var.jobs) : keys(job.trusted)]), keys(var.signers))) == 0
    error_message = "jobs trust a signer that is not there: ${join(", ", setsubtract(flatten([for job in values(var.jobs) : keys(job.trusted)]), keys(var.signers)))}."
  }

  validation {
    condition     = alltrue([for job in values(var.jobs) : length(flatten(values(job.trusted))) > 0 && alltrue([for subjects in values(job.trusted) : length(subjects) > 0])])
    error_message = "a job names a signer and a subject at least: ${join(", ", [for name, job in var.jobs : name if length(flatten(values(job.trusted))) == 0 || !alltrue([for subjects in values(job.trusted) : length(subjects) > 0])])}."
  }

  validation {
    condition = alltrue([
      for subject in flatten([for job in values(var.jobs) : lookup(job.trusted, "github", [])]) :
      can(regex("^repo:[A-Za-z0-9][A-Za-z0-9-]*(@[0-9]+)?/[A-Za-z0-9._-]+(@[0-9]+)?:(environment:[^*?]+|ref:refs/(heads|tags)/[^*?]+[*]?|pull_request)$", subject))
    ])
    error_message = "a subject of GitHub is repo:OWNER/REPOSITORY: with environment:NAME, ref:refs/heads/BRANCH, ref:refs/tags/TAG or pull_request behind it; there is ${join(", ", flatten([for job in values(var.jobs) : lookup(job.trusted, "github", [])]))}."
  }

  validation {
    condition = alltrue([
      for subject in flatten([for job in values(var.jobs) : lookup(job.trusted, "gitlab", [])]) :
      can(regex("^project_path:[A-Za-z0-9_][A-Za-z0-9_./-]*/[A-Za-z0-9_.-]+:ref_type:(branch|tag):ref:[^*?]+[*]?$", subject))
    ])
    error_message = "a subject of GitLab is project_path:GROUP/PROJECT:ref_type:branch:ref:BRANCH, or :ref_type:tag:ref:TAG; there is ${join(", ", flatten([for job in values(var.jobs) : lookup(job.trusted, "gitlab", [])]))}."
  }

  validation {
    condition = alltrue([
      for subject in flatten([for job in values(var.jobs) : lookup(job.trusted, "circleci", [])]) :
      can(regex("^org/${try(var.signers["circleci"].organization, "")}/project/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/user/([*]|[0-9a-f-]{36})(/vcs-origin/[^*?]+/vcs-ref/[^*?]+[*]?)?$", subject))
    ])
    error_message = "a subject of CircleCI is org/ORGANIZATION/project/PROJECT/user/*, with the ids of the signer's organization and of a project; there is ${join(", ", flatten([for job in values(var.jobs) : lookup(job.trusted, "circleci", [])]))}."
  }

  validation {
    condition     = alltrue([for one in flatten(values(var.jobs)[*].policy_arns) : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", one))])
    error_message = "policy_arns are ARNs of policies; they are ${join(", ", flatten(values(var.jobs)[*].policy_arns))}."
  }

  validation {
    condition     = alltrue([for job in values(var.jobs) : job.session_minutes >= 60 && job.session_minutes <= 720])
    error_message = "session_minutes must be between 60 and 720: ${join(", ", [for name, job in var.jobs : "${name} = ${job.session_minutes}"])}."
  }

  validation {
    condition     = alltrue([for one in compact(values(var.jobs)[*].boundary_arn) : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", one))])
    error_message = "boundary_arn is the ARN of a policy; it is ${join(", ", compact(values(var.jobs)[*].boundary_arn))}."
  }
}
