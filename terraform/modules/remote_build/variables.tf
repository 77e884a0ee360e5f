variable "name" {
  description = "Prefix of what belongs to it, for example `shop-stg`."
  type        = string
}

variable "account_id" {
  description = "Account everything is in."
  type        = string
}

variable "region" {
  description = "Region everything is in."
  type        = string
}

variable "repository_arn" {
  description = "Repository that takes the images."
  type        = string
}

variable "log_prefix" {
  description = "What the log group's name begins with, for example `/shop/stg`."
  type        = string
}

variable "architecture" {
  description = "Architecture of the machines, and so of the images: X86_64 or ARM64."
  type        = string

  validation {
    condition     = contains(["X86_64", "ARM64"], var.architecture)
    error_message = "architecture is X86_64 or ARM64; it is ${var.architecture}."
  }
}

variable "compute_type" {
  description = "Size of the machines."
  type        = string
  default     = "BUILD_GENERAL1_SMALL"

  validation {
    condition     = can(regex("^BUILD_GENERAL1_(SMALL|MEDIUM|LARGE|XLARGE|2XLARGE)$", var.compute_type))
    error_message = "compute_type is BUILD_GENERAL1_SMALL, MEDIUM, LARGE, XLARGE or 2XLARGE; it is ${var.compute_type}."
  }
}

variable "image" {
  description = "What builds run in: an image with bash, tar, the AWS CLI and a docker that its entry point starts; the role pulls it, by policy_arns. Without it, AWS's own for the architecture."
  type        = string
  default     = null
}

variable "timeout_minutes" {
  description = "How long one image may take."
  type        = number
  default     = 30

  validation {
    condition     = var.timeout_minutes >= 5 && var.timeout_minutes <= 480
    error_message = "timeout_minutes is between 5 and 480; it is ${var.timeout_minutes}."
  }
}

variable "build_parameters" {
  description = "Parameters that image builds and log-ins to other registries read, by their ARNs."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.build_parameters : can(regex("^arn:[a-z-]+:ssm:[^:]+:[0-9]{12}:parameter/[^*]+$", arn))])
    error_message = "build_parameters are ARNs of parameters, without *; they are ${join(", ", var.build_parameters)}."
  }
}

variable "policy_arns" {
  description = "What else a build may do: to pull from repositories of other applications, to decrypt with a key of one's own."
  type        = set(string)
  default     = []
}

variable "source_days" {
  description = "Days that sources are kept."
  type        = number
  default     = 7
}

variable "log_days" {
  description = "Days that logs of builds are kept."
  type        = number
  default     = 30
}

variable "log_kms_key_arn" {
  description = "Key that encrypts the logs; without it, AWS's own."
  type        = string
  default     = null
}
