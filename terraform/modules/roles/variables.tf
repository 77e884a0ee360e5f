variable "name" {
  description = "Prefix of the roles' names, for example `shop-stg`."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,54}$", var.name))
    error_message = "name must be 1-54 characters that a role's name may have; it is ${var.name}."
  }
}

variable "account_id" {
  description = "Account whose tasks may take the roles."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits, as a string; it is ${var.account_id}."
  }
}

variable "region" {
  description = "Region of parameters that are named without an ARN."
  type        = string
}

variable "repository_arn" {
  description = "Repository to pull from."
  type        = string
}

variable "log_group_arns" {
  description = "Log groups to write."
  type        = list(string)
}

variable "secrets" {
  description = "Every `valueFrom` of the containers: ARN in Secrets Manager or Parameter Store, or a parameter's name."
  type        = list(string)

  validation {
    condition = alltrue([
      for secret in var.secrets : can(regex("^(arn:[a-z-]+:secretsmanager:[^:]+:[0-9]{12}:secret:[^:]+(:[^:]*:[^:]*:[^:]*)?|arn:[a-z-]+:ssm:[^:]+:[0-9]{12}:parameter/.+|[A-Za-z0-9_./-]+)$", secret))
    ])
    error_message = "a secret is a reference, never a value: an ARN of Secrets Manager or Parameter Store, or a parameter's name."
  }
}

variable "environment_files" {
  description = "Objects in S3 that containers read variables from, by ARN."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.environment_files : can(regex("^arn:[a-z-]+:s3:::[a-z0-9.-]+/.+$", arn))])
    error_message = "environment_files are ARNs of objects in S3: ${join(", ", var.environment_files)}."
  }
}

variable "kms_key_arns" {
  description = "Keys of one's own that secrets or environment files are encrypted with; the account's AWS-managed keys need no permission."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.kms_key_arns : can(regex("^arn:[a-z-]+:kms:[^:]+:[0-9]{12}:key/.+$", arn))])
    error_message = "kms_key_arns are ARNs of keys, not of aliases: ${join(", ", var.kms_key_arns)}."
  }
}

variable "tasks" {
  description = <<-EOT
    What each service and scheduled task may do by itself, by name; every one gets a role. `permissions` are statements that allow, `policies` ARNs of
    managed policies; with `execute_command` a shell can be opened in its tasks.
  EOT
  type = map(object({
    permissions = optional(list(object({
      actions    = list(string)
      resources  = list(string)
      conditions = optional(list(object({ test = string, variable = string, values = list(string) })), [])
    })), [])
    policies        = optional(set(string), [])
    execute_command = optional(bool, false)
  }))

  validation {
    condition     = alltrue([for task in keys(var.tasks) : can(regex("^[A-Za-z0-9+=,.@_-]+$", task)) && length("${var.name}-${task}-task") <= 64])
    error_message = "a role is called NAME-TASK-task and may have 64 characters: ${join(", ", [for task in keys(var.tasks) : "${var.name}-${task}-task"])}."
  }

  validation {
    condition     = alltrue(flatten([for task in values(var.tasks) : [for one in task.permissions : length(one.actions) > 0 && length(one.resources) > 0]]))
    error_message = "each of `permissions` names at least one action and one resource."
  }

  validation {
    condition     = alltrue(flatten([for task in values(var.tasks) : [for one in task.permissions : [for action in one.actions : can(regex("^[a-z0-9-]+:[A-Za-z0-9*?]+$", action)) && !endswith(action, ":*")]]]))
    error_message = "an action is SERVICE:ACTION, and never all actions of a service: ${join(", ", flatten([for task in values(var.tasks) : [for one in task.permissions : one.actions]]))}."
  }

  validation {
    condition     = alltrue(flatten([for task in values(var.tasks) : [for arn in task.policies : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", arn))]]))
    error_message = "policies are ARNs of managed policies: ${join(", ", flatten([for task in values(var.tasks) : tolist(task.policies)]))}."
  }
}

variable "exec_log_group_arn" {
  description = "Log group that sessions opened by `execute_command` are written to; null when they are not."
  type        = string
  default     = null

  validation {
    condition     = var.exec_log_group_arn == null || can(regex("^arn:[a-z-]+:logs:[^:]+:[0-9]{12}:log-group:[^:]+$", var.exec_log_group_arn))
    error_message = "exec_log_group_arn must be the ARN of a log group, without :* behind it; it is ${coalesce(var.exec_log_group_arn, "-")}."
  }
}

variable "exec_kms_key_arn" {
  description = "Key that the sessions of `execute_command` are encrypted with; null for AWS's own."
  type        = string
  default     = null

  validation {
    condition     = var.exec_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[^:]+:[0-9]{12}:key/.+$", var.exec_kms_key_arn))
    error_message = "exec_kms_key_arn must be the ARN of a key, not of an alias; it is ${coalesce(var.exec_kms_key_arn, "-")}."
  }
}
