variable "name" {
  description = "Identifier of the instance, for example `shop-stg`."
  type        = string

  validation {
    condition     = can(regex("^[a-z]([a-z0-9]|-[a-z0-9]){0,62}$", var.name))
    error_message = "name must be 1-63 characters of a-z, 0-9 and single inner -, and start with a letter; it is ${var.name}."
  }
}

variable "vpc_id" {
  description = "VPC of the database."
  type        = string
}

variable "subnets" {
  description = "Private subnets, in two zones at least."
  type        = list(string)
}

variable "clients" {
  description = "Security groups that may connect, by a name of their own."
  type        = map(string)
}

variable "engine_version" {
  description = "Version of PostgreSQL: the major one, so that AWS chooses and renews the minor one."
  type        = string

  validation {
    condition     = can(regex("^[1-9][0-9]([.][0-9]+)?$", var.engine_version))
    error_message = "engine_version must look like \"16\" or \"16.4\"; it is ${var.engine_version}."
  }
}

variable "instance_class" {
  description = "Size of the instance, for example `db.t4g.micro`."
  type        = string

  validation {
    condition     = can(regex("^db[.][a-z0-9-]+[.][a-z0-9]+$", var.instance_class))
    error_message = "instance_class must look like db.t4g.micro; it is ${var.instance_class}."
  }
}

variable "allocated_storage_gib" {
  description = "Disk in GiB."
  type        = number

  validation {
    condition     = var.allocated_storage_gib >= 20 && var.allocated_storage_gib <= 65536
    error_message = "allocated_storage_gib must be between 20 and 65536."
  }
}

variable "database_name" {
  description = "Database made with the instance."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", var.database_name))
    error_message = "database_name must be 1-63 characters of a-z, 0-9 and _, and start with a letter; it is ${var.database_name}."
  }
}

variable "username" {
  description = "Owner of the database."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", var.username)) && !contains(["admin", "rdsadmin"], var.username)
    error_message = "username must be 1-63 characters of a-z, 0-9 and _, start with a letter, and not be `admin` or `rdsadmin`, which RDS keeps; it is ${var.username}."
  }
}

variable "multi_az" {
  description = "Whether a second instance stands by in another zone."
  type        = bool
}

variable "backup_retention_days" {
  description = "Days that automatic backups are kept; 0 switches them off."
  type        = number

  validation {
    condition     = var.backup_retention_days >= 0 && var.backup_retention_days <= 35
    error_message = "backup_retention_days must be between 0 and 35."
  }
}

variable "password_rotation_days" {
  description = "Days until RDS changes the password."
  type        = number

  validation {
    condition     = var.password_rotation_days >= 1 && var.password_rotation_days <= 1000
    error_message = "password_rotation_days must be between 1 and 1000."
  }
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the instance."
  type        = bool
}

variable "skip_final_snapshot" {
  description = "Whether the data is lost with the instance."
  type        = bool

  validation {
    condition     = !(var.skip_final_snapshot && var.deletion_protection)
    error_message = "a protected database keeps its final snapshot: skip_final_snapshot must be false where deletion_protection is true."
  }
}
