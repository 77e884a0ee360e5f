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
