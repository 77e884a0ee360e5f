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

  validation {
    condition     = var.untagged_days >= 1
    error_message = "untagged_days must be at least 1."
  }
}

variable "cache_days" {
  description = "Days after its push until a layer cache is removed."
  type        = number
  default     = 14

  validation {
    condition     = var.cache_days >= 1
    error_message = "cache_days must be at least 1."
  }
}
