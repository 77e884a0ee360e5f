# The interface of the stack. The first four come from [app] and [account] of environments/ENV.toml, the others are its table
# [terraform], word for word.

variable "app" {
  description = "Name of the application: prefix of every name, name of the image repository, database and its owner."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.app))
    error_message = "app must be words of a-z and 0-9 joined by -, and start with a letter; it is ${var.app}."
  }
}

variable "environment" {
  description = "Name of the environment."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.environment))
    error_message = "environment must be words of a-z and 0-9 joined by -, and start with a letter; it is ${var.environment}."
  }

  validation {
    condition     = length("${var.app}-${var.environment}") <= 22
    error_message = "app and environment may have 21 characters together: a target group's name ends at 32. They are ${var.app} and ${var.environment}."
  }
}

variable "account_id" {
  description = "AWS account; Terraform refuses to work in another."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits, as a string; it is ${var.account_id}."
  }
}

variable "region" {
  description = "AWS region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must look like ap-northeast-1; it is ${var.region}."
  }
}

variable "network" {
  description = <<-EOT
    The VPC. `nat_gateways = 0`: tasks run in the public subnets with public addresses, else in the private ones. Append zones, never reorder them.
    `endpoints` are AWS services reached without the internet, `flow_logs` who talked to whom; modules/network/README.md says more.
  EOT
  type = object({
    cidr         = optional(string, "10.0.0.0/16")
    zones        = optional(list(string), ["a", "c", "d"])
    nat_gateways = optional(number, 1)
    endpoints    = optional(set(string), [])
    flow_logs = optional(object({
      traffic          = optional(string, "ALL")
      interval_seconds = optional(number, 600)
      retention_days   = optional(number, 30)
      kms_key_arn      = optional(string)
    }))
  })
  default  = {}
  nullable = false
}

variable "services" {
  description = <<-EOT
    Services by name. A container has either `role` (the image this project builds for that role; a deploy fills it in) or `image` (a side-car).
    `desired_count` is what the first deploy asks for. `database = true` gives a container DB_HOST, DB_PORT, DB_NAME, DB_USER and the secret DB_PASSWORD,
    of Aurora also DB_READER_HOST; `cache = true` REDIS_URL, REDIS_HOST, REDIS_PORT, and with replicas REDIS_READER_HOST.
    `secrets` maps a name to a reference: an ARN of Secrets Manager or Parameter Store, or a parameter's name. The load balancer sends to the
    container's `port`; of several services behind it all but one say by `route` what is theirs.
    `settings` names what `inv params.set` keeps for this environment: each becomes a secret of that name. `permissions` and `policies` are what the
    service's own role may do. `discovery` lets `clients` (services, scheduled tasks) connect to the `port` of a container; they are told where by
    SERVICE_HOST and SERVICE_PORT. With `codedeploy` CodeDeploy moves the service between two target groups (modules/blue_green/README.md), and
    `services.NAME.strategy` of the environment says so too. modules/task/README.md and modules/service/README.md say what the other keys mean.
  EOT
  type = map(object({
    cpu                   = optional(number, 256)
    memory                = optional(number, 512)
    ephemeral_storage_gib = optional(number)
    desired_count         = optional(number, 1)
    execute_command       = optional(bool, false)
    policies              = optional(set(string), [])

    permissions = optional(list(object({
      actions    = list(string)
      resources  = list(string)
      conditions = optional(list(object({ test = string, variable = string, values = list(string) })), [])
    })), [])

    deployment = optional(object({
      minimum_healthy_percent = optional(number, 100)
      maximum_percent         = optional(number, 200)
      errors_per_minute       = optional(number)
      alarms                  = optional(list(string), [])
    }), {})

    codedeploy = optional(object({
      traffic = optional(object({
        shift            = optional(string, "all-at-once")
        percent          = optional(number, 10)
        interval_minutes = optional(number, 1)
      }), {})
      ready_wait_minutes       = optional(number, 0)
      termination_wait_minutes = optional(number, 5)
      platform_version         = optional(string, "LATEST")
      hooks                    = optional(map(string), {})
    }))

    capacity = optional(object({
      on_demand_base   = optional(number, 0)
      on_demand_weight = optional(number, 1)
      spot_weight      = optional(number, 0)
    }))

    discovery = optional(object({
      container = string
      clients   = optional(set(string), [])
    }))

    scaling = optional(object({
      minimum           = number
      maximum           = number
      cpu_percent       = optional(number)
      memory_percent    = optional(number)
      requests_per_task = optional(number)
      scale_out_seconds = optional(number, 60)
      scale_in_seconds  = optional(number, 300)
    }))

    load_balancer = optional(object({
      container                    = string
      grace_period_seconds         = optional(number, 30)
      deregistration_delay_seconds = optional(number, 30)
      blue_green                   = optional(bool, false)
      health_check = optional(object({
        path                = optional(string, "/")
        matcher             = optional(string, "200")
        interval_seconds    = optional(number, 10)
        timeout_seconds     = optional(number, 5)
        healthy_threshold   = optional(number, 2)
        unhealthy_threshold = optional(number, 3)
      }), {})
      route = optional(object({
        priority = number
        paths    = list(string)
      }))
    }))

    containers = map(object({
      role                 = optional(string)
      image                = optional(string)
      essential            = optional(bool, true)
      cpu                  = optional(number)
      memory               = optional(number)
      memory_reservation   = optional(number)
      entry_point          = optional(list(string))
      command              = optional(list(string))
      working_directory    = optional(string)
      user                 = optional(string)
      port                 = optional(number)
      stop_timeout_seconds = optional(number, 30)
      init                 = optional(bool, false)
      read_only_root       = optional(bool, false)
      open_files           = optional(number)
      mounts               = optional(map(string), {})
      environment          = optional(map(string), {})
      environment_files    = optional(list(string), [])
      secrets              = optional(map(string), {})
      settings             = optional(set(string), [])
      database             = optional(bool, false)
      cache                = optional(bool, false)
      depends_on           = optional(map(string), {})
      health_check = optional(object({
        command              = list(string)
        interval_seconds     = optional(number, 10)
        timeout_seconds      = optional(number, 5)
        retries              = optional(number, 3)
        start_period_seconds = optional(number, 10)
      }))
    }))
  }))

  validation {
    condition     = alltrue([for name in keys(var.services) : can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", name))])
    error_message = "a service's name must be words of a-z and 0-9 joined by -, and start with a letter: ${join(", ", keys(var.services))}."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.desired_count >= 0 && floor(service.desired_count) == service.desired_count])
    error_message = "desired_count must be a whole number, 0 or more."
  }

  validation {
    condition = alltrue([for service in values(var.services) : try(service.desired_count >= service.scaling.minimum && service.desired_count <= service.scaling.maximum, service.scaling == null)])
    error_message = "desired_count, which the first deploy asks for, must be between scaling.minimum and scaling.maximum; look at: ${join(", ", [
      for name, service in var.services : name if !try(service.desired_count >= service.scaling.minimum && service.desired_count <= service.scaling.maximum, service.scaling == null)
    ])}."
  }

  validation {
    condition = alltrue(flatten([for service in values(var.services) : [for container in values(service.containers) : [
      for setting in container.settings : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", setting)) && !contains(concat(keys(container.environment), keys(container.secrets)), setting)
    ]]]))
    error_message = "a setting's name is that of a variable, and in neither `environment` nor `secrets`: ${join(", ", flatten([for service in values(var.services) : [for container in values(service.containers) : tolist(container.settings)]]))}."
  }

  validation {
    condition     = alltrue(flatten([for service in values(var.services) : [for container in values(service.containers) : !(service.execute_command && container.read_only_root)]]))
    error_message = "execute_command needs to write into the containers, so that none of them may have read_only_root; look at: ${join(", ", [for name, service in var.services : name if service.execute_command])}."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.codedeploy == null || service.load_balancer != null])
    error_message = "CodeDeploy switches a load balancer, and there is none before: ${join(", ", [for name, service in var.services : name if service.codedeploy != null && service.load_balancer == null])}."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.load_balancer == null || try(service.containers[service.load_balancer.container].port != null, false)])
    error_message = "load_balancer.container must name a container of its service that has a `port`."
  }

  validation {
    condition     = var.database != null || !anytrue(flatten([for service in values(var.services) : [for container in values(service.containers) : container.database]]))
    error_message = "a container has database = true, but there is no table [terraform.database]."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.discovery == null || try(service.containers[service.discovery.container].port != null, false)])
    error_message = "discovery.container must name a container of its service that has a `port`; look at: ${join(", ", [for name, service in var.services : name if service.discovery != null])}."
  }

  validation {
    condition     = length(setintersection(keys(var.services), keys(var.scheduled_tasks))) == 0
    error_message = "a service and a scheduled task may not have the same name: ${join(", ", setintersection(keys(var.services), keys(var.scheduled_tasks)))}."
  }

  validation {
    condition     = alltrue(flatten([for service in values(var.services) : [for client in try(service.discovery.clients, []) : contains(concat(keys(var.services), keys(var.scheduled_tasks)), client)]]))
    error_message = "discovery.clients are services and scheduled tasks: ${join(", ", flatten([for service in values(var.services) : tolist(try(service.discovery.clients, []))]))}."
  }

  validation {
    condition     = var.cache != null || !anytrue(flatten([for service in values(var.services) : [for container in values(service.containers) : container.cache]]))
    error_message = "a container has cache = true, but there is no table [terraform.cache]."
  }
}

variable "scheduled_tasks" {
  description = <<-EOT
    Tasks that a schedule starts, by name: `schedule` is `cron(MINUTE HOUR DAY MONTH WEEKDAY YEAR)` in `time_zone`, or `rate(5 minutes)`. Nothing is started
    before the first deploy, nor with `enabled = false`. Containers are those of services, without a load balancer. modules/scheduled_task/README.md says what
    the other keys mean.
  EOT
  type = map(object({
    schedule              = string
    enabled               = optional(bool, true)
    time_zone             = optional(string, "UTC")
    window_minutes        = optional(number, 0)
    tasks                 = optional(number, 1)
    spot                  = optional(bool, false)
    undelivered_days      = optional(number)
    cpu                   = optional(number, 256)
    memory                = optional(number, 512)
    ephemeral_storage_gib = optional(number)
    policies              = optional(set(string), [])

    retry = optional(object({
      attempts = optional(number, 3)
      seconds  = optional(number, 900)
    }), {})

    permissions = optional(list(object({
      actions    = list(string)
      resources  = list(string)
      conditions = optional(list(object({ test = string, variable = string, values = list(string) })), [])
    })), [])

    containers = map(object({
      role                 = optional(string)
      image                = optional(string)
      essential            = optional(bool, true)
      cpu                  = optional(number)
      memory               = optional(number)
      memory_reservation   = optional(number)
      entry_point          = optional(list(string))
      command              = optional(list(string))
      working_directory    = optional(string)
      user                 = optional(string)
      port                 = optional(number)
      stop_timeout_seconds = optional(number, 30)
      init                 = optional(bool, false)
      read_only_root       = optional(bool, false)
      open_files           = optional(number)
      mounts               = optional(map(string), {})
      environment          = optional(map(string), {})
      environment_files    = optional(list(string), [])
      secrets              = optional(map(string), {})
      settings             = optional(set(string), [])
      database             = optional(bool, false)
      cache                = optional(bool, false)
      depends_on           = optional(map(string), {})
      health_check = optional(object({
        command              = list(string)
        interval_seconds     = optional(number, 10)
        timeout_seconds      = optional(number, 5)
        retries              = optional(number, 3)
        start_period_seconds = optional(number, 10)
      }))
    }))
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.scheduled_tasks) : can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", name))])
    error_message = "a scheduled task's name must be words of a-z and 0-9 joined by -, and start with a letter: ${join(", ", keys(var.scheduled_tasks))}."
  }

  validation {
    condition     = alltrue([for name in keys(var.scheduled_tasks) : length("${var.app}-${var.environment}-${name}-scheduler") <= 64])
    error_message = "a scheduled task's role is called APP-ENVIRONMENT-NAME-scheduler and may have 64 characters: ${join(", ", keys(var.scheduled_tasks))}."
  }

  validation {
    condition = alltrue(flatten([for task in values(var.scheduled_tasks) : [for container in values(task.containers) : [
      for setting in container.settings : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", setting)) && !contains(concat(keys(container.environment), keys(container.secrets)), setting)
    ]]]))
    error_message = "a setting's name is that of a variable, and in neither `environment` nor `secrets`: ${join(", ", flatten([for task in values(var.scheduled_tasks) : [for container in values(task.containers) : tolist(container.settings)]]))}."
  }

  validation {
    condition     = var.database != null || !anytrue(flatten([for task in values(var.scheduled_tasks) : [for container in values(task.containers) : container.database]]))
    error_message = "a container of a scheduled task has database = true, but there is no table [terraform.database]; look at: ${join(", ", keys(var.scheduled_tasks))}."
  }

  validation {
    condition     = var.cache != null || !anytrue(flatten([for task in values(var.scheduled_tasks) : [for container in values(task.containers) : container.cache]]))
    error_message = "a container of a scheduled task has cache = true, but there is no table [terraform.cache]; look at: ${join(", ", keys(var.scheduled_tasks))}."
  }
}

variable "database" {
  description = <<-EOT
    The database; leave it out for none. `engine`: `postgres` or `mysql`, one instance (with a stand-by: `multi_az`), or `aurora-postgresql` or
    `aurora-mysql`, a cluster of `instances` (or of `serverless` capacity). RDS makes the password and changes it every `password_rotation_days`
    (tasks must be renewed then). modules/database/README.md says what each key means.
  EOT
  type = object({
    engine                    = optional(string, "postgres")
    engine_version            = string
    instance_class            = optional(string)
    instances                 = optional(number, 1)
    serverless                = optional(object({ min_capacity = number, max_capacity = number }))
    allocated_storage_gib     = optional(number, 20)
    max_allocated_storage_gib = optional(number)
    multi_az                  = optional(bool, false)
    parameters                = optional(map(string), {})
    parameters_at_restart     = optional(set(string), [])
    backup_retention_days     = optional(number, 7)
    backup_window             = optional(string)
    maintenance_window        = optional(string)
    apply_immediately         = optional(bool, false)
    log_exports               = optional(set(string), [])
    performance_insights_days = optional(number, 0)
    kms_key_arn               = optional(string)
    snapshot                  = optional(string)
    password_rotation_days    = optional(number, 1000)
    skip_final_snapshot       = optional(bool, false)
  })
  default = null
}

variable "cache" {
  description = "Redis or Valkey; leave it out for none. Always over TLS. modules/cache/README.md says what each key means."
  type = object({
    engine                = optional(string, "valkey")
    engine_version        = optional(string, "8.0")
    node_type             = optional(string, "cache.t4g.micro")
    shards                = optional(number, 1)
    replicas              = optional(number, 0)
    parameters            = optional(map(string), {})
    iam_users             = optional(map(string), {})
    backup_retention_days = optional(number, 0)
    backup_window         = optional(string)
    maintenance_window    = optional(string)
    apply_immediately     = optional(bool, false)
    kms_key_arn           = optional(string)
    skip_final_snapshot   = optional(bool, true)
  })
  default = null
}

variable "parameters" {
  description = "Plain values for Parameter Store, `/APP/ENVIRONMENT/infrastructure/NAME`, beside those of the database and the cache. Settings of the application are not here: `inv params.set` writes them."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "ci_identity" {
  description = <<-EOT
    CI systems whose jobs need no key: `signers` are `github`, `gitlab`, `circleci`; `jobs` says whose jobs are trusted, by the subjects of their
    tokens. The job named `deploy` may take the deploy role; another one with `policy_arns` gets a role of its own. modules/ci_identity/README.md
    says what each key means.
  EOT
  type = object({
    signers = optional(map(object({
      arn          = optional(string)
      url          = optional(string)
      audience     = optional(string)
      organization = optional(string)
    })), {})
    jobs = optional(map(object({
      trusted         = map(list(string))
      policy_arns     = optional(list(string), [])
      session_minutes = optional(number, 60)
      boundary_arn    = optional(string)
    })), {})
  })
  default  = {}
  nullable = false
}

variable "deploy_role" {
  description = <<-EOT
    The role that releases, with just what a release needs (docs/iam.md). `trusted_principals` are the roles and users that may take it; without any,
    whoever the account's own policies allow. `build_parameters` are ARNs of parameters that image builds read. Without this there is none, unless
    ci_identity has a job `deploy`.
  EOT
  type = object({
    trusted_principals   = optional(list(string), [])
    require_mfa          = optional(bool, false)
    external_id          = optional(string)
    build_parameters     = optional(list(string), [])
    max_session_seconds  = optional(number, 3600)
    permissions_boundary = optional(string)
  })
  default = null
}

variable "remote_build" {
  description = <<-EOT
    CodeBuild, which builds the images where `images.engine` says so (docs/images.md); leave it out for none, `{}` for the defaults. Parameters of
    `deploy_role.build_parameters` count here too. modules/remote_build/README.md says what each key means.
  EOT
  type = object({
    compute_type     = optional(string, "BUILD_GENERAL1_SMALL")
    image            = optional(string)
    timeout_minutes  = optional(number, 30)
    build_parameters = optional(list(string), [])
    policy_arns      = optional(set(string), [])
    source_days      = optional(number, 7)
  })
  default = null
}

variable "pipeline" {
  description = <<-EOT
    CodePipeline, which releases by AWS's own actions (docs/pipelines.md); leave it out for none. `source`: `git`, a push to the branch of `repository`,
    or `ecr`, a push of `images` that others built. A service with `codedeploy` is moved by it, the others by ECS. `approval` asks a person before
    anything is deployed. modules/pipeline/README.md says what each key means.
  EOT
  type = object({
    source        = string
    artifact_days = optional(number, 30)

    repository = object({
      name           = string
      branch         = string
      connection_arn = optional(string)
    })

    images = optional(object({
      tags    = map(string)
      trigger = string
    }))

    build = optional(object({
      compute_type     = optional(string, "BUILD_GENERAL1_SMALL")
      image            = optional(string)
      buildspec        = optional(string, "buildspec.yml")
      timeout_minutes  = optional(number, 60)
      parameters       = optional(map(string), {})
      build_parameters = optional(list(string), [])
      policy_arns      = optional(set(string), [])
      log_days         = optional(number, 30)
      kms_key_arn      = optional(string)
    }), {})

    approval = optional(object({
      message = optional(string, "Deploy?")
    }))

    notifications = optional(object({
      emails    = optional(set(string), [])
      topic_arn = optional(string)
      states    = optional(set(string), ["FAILED", "SUCCEEDED"])
    }))
  })
  default = null
}

variable "domain" {
  description = "Host name users type; without one the load balancer's own. With `zone_id` its records and certificate are made; else it needs `certificate_arn`, and a DNS record that leads to the load balancer."
  type        = string
  default     = null

  validation {
    condition     = var.domain == null || var.certificate_arn != null || var.zone_id != null
    error_message = "domain ${coalesce(var.domain, "-")} needs zone_id or certificate_arn: the application is announced as https."
  }

  validation {
    condition     = var.domain != null || var.zone_id == null
    error_message = "zone_id ${coalesce(var.zone_id, "-")} needs domain: the name in the zone that leads here."
  }
}

variable "alternative_domains" {
  description = "More host names in the zone that lead here, on the same certificate: `www.example.com`, `*.shop.example.com`."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = length(var.alternative_domains) == 0 || var.zone_id != null
    error_message = "alternative_domains are made in a zone: zone_id is missing for ${join(", ", var.alternative_domains)}."
  }
}

variable "zone_id" {
  description = "Hosted zone of Route 53, in this account, that `domain` is in. Records that lead to the load balancer are made there, and a certificate unless `certificate_arn` names one."
  type        = string
  default     = null
}

variable "load_balancer" {
  description = <<-EOT
    Who may come in (`clients`), how (`tls_policy`, `idle_timeout_seconds`, `web_acl_arn`), whether each request is written down (`access_logs`), and
    where a blue/green deployment shows its new version first (`test_listener`). modules/load_balancer/README.md says more.
  EOT
  type = object({
    clients              = optional(set(string), ["0.0.0.0/0"])
    tls_policy           = optional(string)
    idle_timeout_seconds = optional(number)
    access_logs          = optional(object({ retention_days = optional(number, 90) }))
    test_listener        = optional(object({ port = optional(number, 8443), clients = set(string) }))
    web_acl_arn          = optional(string)
  })
  default  = {}
  nullable = false
}

variable "registry" {
  description = "Who in other accounts pulls or pushes (account ids, or ARNs of roles), what encrypts, and after how many days untagged images and layer caches go."
  type = object({
    pull_principals = optional(set(string), [])
    push_principals = optional(set(string), [])
    kms_key_arn     = optional(string)
    untagged_days   = optional(number)
    cache_days      = optional(number)
  })
  default  = {}
  nullable = false
}

variable "certificate_arn" {
  description = "ACM certificate of `domain`. With one, port 443 serves and port 80 redirects to it."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:[a-z-]+:acm:[^:]+:[0-9]{12}:certificate/.+$", var.certificate_arn))
    error_message = "certificate_arn must be the ARN of an ACM certificate."
  }
}

variable "deletion_protection" {
  description = "Whether database, load balancer and a repository with images in it withstand a destroy."
  type        = bool
  default     = true
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that the containers' logs are kept."
  type        = number
  default     = 30
  nullable    = false
}

variable "log_kms_key_arn" {
  description = "KMS key that encrypts the containers' logs; without one CloudWatch's own."
  type        = string
  default     = null
}

variable "exec_logging" {
  description = "Write down what is typed in shells inside tasks (`execute_command` of a service); leave it out for no log."
  type = object({
    retention_days = optional(number, 365)
    kms_key_arn    = optional(string)
  })
  default = null
}

variable "container_insights" {
  description = "CloudWatch Container Insights: disabled, enabled, or enhanced."
  type        = string
  default     = "disabled"
  nullable    = false
}

variable "alarms" {
  description = <<-EOT
    Alarms, their topic and a dashboard; leave it out for none. `emails` and `webhooks` are told, `topic_arn` names a topic that is there already.
    modules/observability/README.md says what the thresholds mean, and `patience`.
  EOT
  type = object({
    emails      = optional(set(string), [])
    webhooks    = optional(set(string), [])
    topic_arn   = optional(string)
    kms_key_arn = optional(string)

    patience = optional(object({
      minutes     = optional(number, 5)
      bad_minutes = optional(number, 3)
    }), {})

    thresholds = optional(object({
      errors_per_minute    = optional(number, 10)
      latency_seconds      = optional(number, 2)
      cpu_percent          = optional(number, 85)
      memory_percent       = optional(number, 90)
      database_cpu_percent = optional(number, 85)
      database_free_gib    = optional(number, 5)
      cache_memory_percent = optional(number, 85)
    }), {})
  })
  default = null
}

variable "architecture" {
  description = "Processor of every task, X86_64 or ARM64: that of `images.platform`."
  type        = string
  default     = "X86_64"
  nullable    = false

  validation {
    condition     = contains(["X86_64", "ARM64"], var.architecture)
    error_message = "architecture must be X86_64 or ARM64; it is ${var.architecture}."
  }
}

variable "settings_key_arn" {
  description = "KMS key of one's own that settings are encrypted with; without one it is the account's for Parameter Store, which needs no permission."
  type        = string
  default     = null

  validation {
    condition     = var.settings_key_arn == null || can(regex("^arn:[a-z-]+:kms:[^:]+:[0-9]{12}:key/.+$", var.settings_key_arn))
    error_message = "settings_key_arn must be the ARN of a key, not of an alias; it is ${coalesce(var.settings_key_arn, "-")}."
  }
}
