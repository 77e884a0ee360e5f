variable "name" {
  description = "Name of the pipeline and prefix of what belongs to it, for example `shop-stg`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.name))
    error_message = "name must be 1-31 characters of a-z, 0-9 and -, and start with a letter; it is ${var.name}."
  }
}

variable "environment" {
  description = "Environment that the pipeline deploys to: what `inv` is told in the build."
  type        = string
}

variable "account_id" {
  description = "Account everything is in."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits, as a string; it is ${var.account_id}."
  }
}

variable "region" {
  description = "Region everything is in."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must look like ap-northeast-1; it is ${var.region}."
  }
}

variable "source_type" {
  description = "What starts the pipeline: `git`, a push to the branch, whose images it builds; `ecr`, a push of images that others built."
  type        = string

  validation {
    condition     = contains(["git", "ecr"], var.source_type)
    error_message = "source_type is git or ecr; it is ${var.source_type}."
  }
}

variable "repository" {
  description = <<-EOT
    The Git repository that has the configuration, and with `git` the source. `name` is OWNER/REPOSITORY behind a connection of CodeConnections
    (`connection_arn`), which a person has to confirm once in the console; without one it is the name of a CodeCommit repository of this account.
  EOT
  type = object({
    name           = string
    branch         = string
    connection_arn = optional(string)
  })

  validation {
    condition     = can(regex(var.repository.connection_arn == null ? "^[A-Za-z0-9._-]{1,100}$" : "^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)+$", var.repository.name))
    error_message = "repository.name is OWNER/REPOSITORY behind a connection, else the name of a CodeCommit repository; it is ${var.repository.name}."
  }

  validation {
    condition     = can(regex("^[^ ~^:?*\\[\\\\]+$", var.repository.branch))
    error_message = "repository.branch is one branch, no pattern; it is ${var.repository.branch}."
  }

  validation {
    condition     = var.repository.connection_arn == null || can(regex("^arn:[a-z-]+:(codestar-connections|codeconnections):[^:]+:[0-9]{12}:connection/.+$", var.repository.connection_arn))
    error_message = "repository.connection_arn must be the ARN of a connection; it is ${coalesce(var.repository.connection_arn, "-")}."
  }
}

variable "images" {
  description = <<-EOT
    With `ecr`: what is pushed. `tags` has the tag that is waited for by image role; `trigger` is the role whose push starts the pipeline, of several
    the one that is pushed last, so that a release is never half of two.
  EOT
  type = object({
    tags    = map(string)
    trigger = string
  })
  default = null

  validation {
    condition     = (var.images != null) == (var.source_type == "ecr")
    error_message = "images belong to source_type ecr, and it cannot do without; source_type is ${var.source_type}."
  }

  validation {
    condition     = try(contains(keys(var.images.tags), var.images.trigger), true)
    error_message = "images.trigger is one of the roles in images.tags; it is ${try(var.images.trigger, "-")}."
  }

  validation {
    condition     = try(length(var.images.tags) <= 4, true)
    error_message = "a build takes the repository and four images at most; there are ${try(length(var.images.tags), 0)}."
  }

  validation {
    condition     = try(alltrue([for tag in values(var.images.tags) : can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", tag))]), true)
    error_message = "images.tags are tags, not patterns: ${try(join(", ", values(var.images.tags)), "-")}."
  }

  validation {
    condition     = try(length(distinct(values(var.images.tags))) == length(var.images.tags), true)
    error_message = "each role has a tag of its own: ${try(join(", ", values(var.images.tags)), "-")}."
  }
}

variable "image_repository" {
  description = "ECR repository of the images: its name and ARN, and the ARN of the builders' layer cache."
  type = object({
    name      = string
    arn       = string
    cache_arn = string
  })
}

variable "cluster_arn" {
  description = "Cluster of the services."
  type        = string

  validation {
    condition     = can(regex("^arn:[a-z-]+:ecs:[^:]+:[0-9]{12}:cluster/[^/]+$", var.cluster_arn))
    error_message = "cluster_arn must be the ARN of a cluster; it is ${var.cluster_arn}."
  }
}

variable "services" {
  description = <<-EOT
    What is deployed, by short name: the ECS service, the family that deploys write, and the image role of each container. With `codedeploy`, the
    application and deployment group, CodeDeploy moves it; without, ECS does.
  EOT
  type = map(object({
    service    = string
    family     = string
    containers = map(string)
    codedeploy = optional(object({ application = string, deployment_group = string }))
  }))
  nullable = false

  validation {
    condition     = length(var.services) > 0
    error_message = "there is no service to deploy."
  }

  validation {
    condition     = length(distinct(flatten([for one in values(var.services) : values(one.containers) if one.codedeploy != null]))) <= 4
    error_message = "a build hands on four images at most, of all services under CodeDeploy; there are ${join(", ", distinct(flatten([for one in values(var.services) : values(one.containers) if one.codedeploy != null])))}."
  }

  validation {
    condition     = try(length(setsubtract(flatten([for one in values(var.services) : values(one.containers)]), keys(var.images.tags))) == 0, true)
    error_message = "images.tags lacks roles that services run: ${try(join(", ", setsubtract(flatten([for one in values(var.services) : values(one.containers)]), keys(var.images.tags))), "-")}."
  }
}

variable "passed_role_arns" {
  description = "Roles of the tasks and of ECS itself, which a new revision names."
  type        = list(string)

  validation {
    condition     = length(var.passed_role_arns) > 0 && alltrue([for arn in var.passed_role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*]+$", arn))])
    error_message = "passed_role_arns are ARNs of roles, without *; they are ${join(", ", var.passed_role_arns)}."
  }
}

variable "contract" {
  description = "Parameter that Terraform publishes for deploys, such as `/shop/stg/contract`."
  type        = string

  validation {
    condition     = startswith(var.contract, "/")
    error_message = "contract is a parameter's name and starts with /; it is ${var.contract}."
  }
}

variable "build" {
  description = <<-EOT
    The CodeBuild project. `parameters` are variables of the build by the name of the parameter that holds them, `build_parameters` ARNs of further
    ones that image builds read (docs/images.md). `architecture` is that of the images. `policy_arns` are what else it may do.
  EOT
  type = object({
    architecture     = optional(string, "X86_64")
    compute_type     = optional(string, "BUILD_GENERAL1_SMALL")
    image            = optional(string)
    buildspec        = optional(string, "buildspec.yml")
    timeout_minutes  = optional(number, 60)
    parameters       = optional(map(string), {})
    build_parameters = optional(list(string), [])
    policy_arns      = optional(set(string), [])
    log_days         = optional(number, 30)
    kms_key_arn      = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["X86_64", "ARM64"], var.build.architecture)
    error_message = "build.architecture is X86_64 or ARM64; it is ${var.build.architecture}."
  }

  validation {
    condition     = can(regex("^BUILD_GENERAL1_(SMALL|MEDIUM|LARGE|XLARGE|2XLARGE)$", var.build.compute_type))
    error_message = "build.compute_type is BUILD_GENERAL1_SMALL, MEDIUM, LARGE, XLARGE or 2XLARGE; it is ${var.build.compute_type}."
  }

  validation {
    condition     = var.build.timeout_minutes >= 5 && var.build.timeout_minutes <= 480
    error_message = "build.timeout_minutes is between 5 and 480; it is ${var.build.timeout_minutes}."
  }

  validation {
    condition     = alltrue([for name, parameter in var.build.parameters : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name)) && can(regex("^/[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", parameter))])
    error_message = "build.parameters has a variable's name and a parameter's, which starts with /: ${join(", ", [for name, parameter in var.build.parameters : "${name} = ${parameter}"])}."
  }

  validation {
    condition     = alltrue([for arn in var.build.build_parameters : can(regex("^arn:[a-z-]+:ssm:[^:]+:[0-9]{12}:parameter/[^*]+$", arn))])
    error_message = "build.build_parameters are ARNs of parameters, without *; they are ${join(", ", var.build.build_parameters)}."
  }
}

variable "approval" {
  description = "A person has to agree before anything is deployed; `message` is what they are asked. Leave it out for no question."
  type = object({
    message = optional(string, "Deploy?")
  })
  default = null
}

variable "notifications" {
  description = <<-EOT
    Who is told of executions: `emails`, which AWS asks once whether they agree, through a topic that is made; or `topic_arn`, one that is there, whose
    policy has to let `events.amazonaws.com` publish. `states` of an execution that are told. Leave it out to tell nobody.
  EOT
  type = object({
    emails    = optional(set(string), [])
    topic_arn = optional(string)
    states    = optional(set(string), ["FAILED", "SUCCEEDED"])
  })
  default = null

  validation {
    condition     = try(length(setsubtract(var.notifications.states, ["STARTED", "SUCCEEDED", "FAILED", "CANCELED", "STOPPED", "SUPERSEDED", "RESUMED"])) == 0 && length(var.notifications.states) > 0, true)
    error_message = "notifications.states are one or more of STARTED, SUCCEEDED, FAILED, CANCELED, STOPPED, SUPERSEDED, RESUMED; they are ${try(join(", ", var.notifications.states), "-")}."
  }

  validation {
    condition     = try(var.notifications.topic_arn == null || can(regex("^arn:[a-z-]+:sns:[^:]+:[0-9]{12}:[^:]+$", var.notifications.topic_arn)), true)
    error_message = "notifications.topic_arn is the ARN of a topic; it is ${try(coalesce(var.notifications.topic_arn, "-"), "-")}."
  }

  validation {
    condition     = try(var.notifications.topic_arn == null || length(var.notifications.emails) == 0, true)
    error_message = "emails are for the topic that is made; who listens to topic_arn is that one's own matter."
  }
}

variable "artifact_days" {
  description = "Days that artifacts of executions are kept."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.artifact_days >= 1 && floor(var.artifact_days) == var.artifact_days
    error_message = "artifact_days is a whole number, 1 or more; it is ${var.artifact_days}."
  }
}
