variable "path" {
  description = "Where the parameters are, for example `/shop/stg/infrastructure`."
  type        = string

  validation {
    condition     = can(regex("^(/[A-Za-z0-9_.-]+){1,14}$", var.path)) && !can(regex("^/(aws|ssm)([^/]*)", lower(var.path)))
    error_message = "path must be words of A-Z, a-z, 0-9, _, . and - behind a / each, 14 at most, and not start with /aws or /ssm; it is ${var.path}."
  }
}

variable "plain" {
  description = "Values that anybody may see, by name."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.plain) : can(regex("^[A-Za-z0-9_.-]+$", name))])
    error_message = "a parameter's name has A-Z, a-z, 0-9, _, . and - only: ${join(", ", [for name in keys(var.plain) : name if !can(regex("^[A-Za-z0-9_.-]+$", name))])}."
  }

  validation {
    condition     = alltrue([for value in values(var.plain) : length(value) >= 1 && length(value) <= 8192])
    error_message = "a parameter has 1 to 8192 characters; these have not: ${join(", ", [for name, value in var.plain : name if length(value) < 1 || length(value) > 8192])}."
  }
}

variable "secrets" {
  description = "Values that nobody may see, by name. They are written, and not remembered."
  type        = map(string)
  default     = {}
  nullable    = false
  ephemeral   = true
  sensitive   = true
}

variable "secret_versions" {
  description = "A number for each of `secrets`: raise it to write its value again."
  type        = map(number)
  default     = {}
  nullable    = false

  validation {
    condition     = length(setintersection(keys(var.secret_versions), keys(var.plain))) == 0
    error_message = "a parameter is plain or secret, not both: ${join(", ", setintersection(keys(var.secret_versions), keys(var.plain)))}."
  }

  validation {
    condition     = alltrue([for version in values(var.secret_versions) : version >= 1 && floor(version) == version])
    error_message = "a secret's version is a whole number, 1 or more: ${join(", ", [for name, version in var.secret_versions : "${name} = ${version}"])}."
  }
}

variable "kms_key_arn" {
  description = "Key that secrets are encrypted with; without it AWS's own."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[^:]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key; it is ${coalesce(var.kms_key_arn, "-")}."
  }
}
