variable "app" {
  description = "Application."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.app))
    error_message = "app must be words of a-z and 0-9 joined by -, and start with a letter; it is ${var.app}."
  }
}

variable "environment" {
  description = "Environment."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.environment))
    error_message = "environment must be words of a-z and 0-9 joined by -, and start with a letter; it is ${var.environment}."
  }
}

variable "account_id" {
  description = "Account everything is in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits, as a string; it is ${var.account_id}."
  }
}

variable "region" {
  description = "Region everything is in."
  type        = string
  nullable    = false
}

variable "task_roles" {
  description = "Roles that a revision may name: the task and execution roles of the app's tasks, and no pattern."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.task_roles) > 0 && alltrue([for arn in var.task_roles : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*?]+$", arn))])
    error_message = "task_roles must be ARNs of roles without wildcards: who may pass any role, may do what any role may; they are ${join(", ", var.task_roles)}."
  }
}

variable "schedules" {
  description = "The schedules of the scheduled tasks, each with the role that it starts tasks with, which an update names again."
  type        = list(object({ arn = string, role_arn = string }))
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for one in var.schedules : can(regex("^arn:[a-z-]+:scheduler:[^:]+:[0-9]{12}:schedule/[^*?]+$", one.arn)) && can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*?]+$", one.role_arn))])
    error_message = "schedules must be ARNs of schedules and of their roles, without wildcards; they are ${jsonencode(var.schedules)}."
  }
}

variable "deployment_groups" {
  description = "The deployment groups of services that CodeDeploy moves, each with its application."
  type        = list(object({ arn = string, application_arn = string }))
  default     = []
  nullable    = false
}

variable "remote_build" {
  description = "The CodeBuild project that builds images, and where their sources are put, each by its ARN."
  type        = object({ project_arn = string, sources_arn = string })
  default     = null
}

variable "build_parameters" {
  description = "Parameters that image builds and log-ins to other registries read, by their ARNs."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.build_parameters : can(regex("^arn:[a-z-]+:ssm:[^:]+:[0-9]{12}:parameter/.+$", arn))])
    error_message = "build_parameters must be ARNs of SSM parameters; they are ${join(", ", var.build_parameters)}."
  }
}

variable "trusted_principals" {
  description = "Who may take the role: ARNs of roles and users, or of a whole account (`arn:aws:iam::ACCOUNT:root`), whose own policies then decide."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.trusted_principals : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(root|role/[^*]+|user/[^*]+)$", arn))])
    error_message = "trusted_principals must be ARNs of roles, users or accounts, without wildcards; they are ${join(", ", var.trusted_principals)}."
  }

  validation {
    condition     = length(var.trusted_principals) + length(var.web_identities) > 0
    error_message = "nobody could take the role: name trusted_principals, or web_identities."
  }
}

variable "require_mfa" {
  description = "Whether people must have signed in with a second factor."
  type        = bool
  default     = false
  nullable    = false
}

variable "external_id" {
  description = "What people of another account must say when they take the role."
  type        = string
  default     = null

  validation {
    condition     = var.external_id == null || can(regex("^[A-Za-z0-9+=,.@:/_-]{2,1000}$", var.external_id))
    error_message = "external_id must be 2-1000 letters, digits and + = , . @ : / _ -."
  }
}

variable "web_identities" {
  description = "Jobs of CI systems that may take the role: the OIDC provider, and what `aud` and `sub` of the job's token must be. `*` is allowed in a subject, but not as its beginning."
  type = map(object({
    provider_arn = string
    audience     = optional(string, "sts.amazonaws.com")
    subjects     = list(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for one in values(var.web_identities) : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/.+$", one.provider_arn))])
    error_message = "provider_arn must be the ARN of an OIDC provider; they are ${join(", ", values(var.web_identities)[*].provider_arn)}."
  }

  validation {
    condition     = alltrue([for one in values(var.web_identities) : length(one.subjects) > 0 && alltrue([for subject in one.subjects : can(regex("^[^*?]{3,}", subject))])])
    error_message = "subjects must say whose jobs these are, from their beginning: ${join(", ", flatten(values(var.web_identities)[*].subjects))}."
  }
}

variable "max_session_seconds" {
  description = "How long a session of the role may last: no deploy takes longer."
  type        = number
  default     = 3600
  nullable    = false

  validation {
    condition     = var.max_session_seconds >= 3600 && var.max_session_seconds <= 43200
    error_message = "max_session_seconds must be from 3600 to 43200; it is ${var.max_session_seconds}."
  }
}

variable "permissions_boundary" {
  description = "ARN of a policy that bounds the role, where the organisation asks for one."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary))
    error_message = "permissions_boundary must be the ARN of an IAM policy; it is ${coalesce(var.permissions_boundary, "-")}."
  }
}
