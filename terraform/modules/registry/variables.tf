variable "name" {
  description = "Repository, named like the app."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", var.name)) && length(var.name) >= 2 && length(var.name) <= 256
    error_message = "name must be 2-256 characters: lower-case letters and digits, with single . _ - or / between them; it is ${var.name}."
  }
}

variable "force_delete" {
  description = "Whether destroying the repository deletes the images in it."
  type        = bool
}

variable "untagged_days" {
  description = "Days after its push until an image without a tag is removed."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.untagged_days >= 1
    error_message = "untagged_days must be at least 1; it is ${var.untagged_days}."
  }
}

variable "cache_days" {
  description = "Days after its push until a layer cache is removed."
  type        = number
  default     = 14
  nullable    = false

  validation {
    condition     = var.cache_days >= 1
    error_message = "cache_days must be at least 1; it is ${var.cache_days}."
  }
}

variable "kms_key_arn" {
  description = "KMS key that encrypts the images; without one ECR's own. A repository cannot change it: another value replaces the repository."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key; it is ${coalesce(var.kms_key_arn, "-")}."
  }
}

variable "pull_principals" {
  description = "Who in other accounts may pull, to promote from here or to run what is here: account ids, or ARNs of roles."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for principal in var.pull_principals : can(regex("^([0-9]{12}|arn:[a-z-]+:iam::[0-9]{12}:(root|(role|user)/.+))$", principal))])
    error_message = "pull_principals are account ids or ARNs of IAM roles, never everybody: ${join(", ", var.pull_principals)}."
  }
}

variable "push_principals" {
  description = "Who in other accounts may push (and pull), to promote to here: account ids, or ARNs of roles."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for principal in var.push_principals : can(regex("^([0-9]{12}|arn:[a-z-]+:iam::[0-9]{12}:(root|(role|user)/.+))$", principal))])
    error_message = "push_principals are account ids or ARNs of IAM roles, never everybody: ${join(", ", var.push_principals)}."
  }
}
