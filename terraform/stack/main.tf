# One application in one environment. The same for every account and for the local AWS: only the variables differ.

data "aws_partition" "this" {}

locals {
  name = "${var.app}-${var.environment}"

  # Whom the deploy role trusts of a CI system's jobs, by signer.
  job_deploys    = contains(keys(var.ci_identity.jobs), "deploy")
  deploying_jobs = local.job_deploys ? module.ci_identity.web_identities["deploy"] : {}

  # Without a NAT gateway nothing leads out of a private subnet, so that a task there could not even pull its image.
  public_tasks = var.network.nat_gateways == 0
  task_subnets = local.public_tasks ? module.network.public_subnets : module.network.private_subnets

  # Everything that is a task: a service keeps them running, a schedule starts them.
  tasks = merge(var.services, var.scheduled_tasks)

  balanced = { for name, service in var.services : name => merge(service.load_balancer, {
    blue_green = service.load_balancer.blue_green || service.codedeploy != null
  }) if service.load_balancer != null }

  switched        = { for name, service in var.services : name => service.codedeploy if service.codedeploy != null }
  database_access = { for name, task in local.tasks : name => anytrue([for container in values(task.containers) : container.database]) }
  cache_access    = { for name, task in local.tasks : name => anytrue([for container in values(task.containers) : container.cache]) }

  # Not `try`: before everything is made it would not know even the names.
  database_environment = var.database == null ? {} : module.database[0].environment
  database_secrets     = var.database == null ? {} : module.database[0].secrets
  cache_environment    = var.cache == null ? {} : module.cache[0].environment

  # Services that are found by name, and who is told where.
  found = { for name, service in var.services : name => {
    clients = service.discovery.clients
    port    = service.containers[service.discovery.container].port
  } if service.discovery != null }

  addresses = { for name in keys(local.tasks) : name => merge([
    for service, found in local.found : {
      "${upper(replace(service, "-", "_"))}_HOST" = "${service}.${local.name}.internal"
      "${upper(replace(service, "-", "_"))}_PORT" = tostring(found.port)
    } if contains(found.clients, name)
  ]...) }

  # What a container says itself wins over its settings, and these over what the database and the cache bring.
  containers = {
    for name, task in local.tasks : name => {
      for container, settings in task.containers : container => merge(settings, {
        environment = merge(local.addresses[name], settings.database ? local.database_environment : {}, settings.cache ? local.cache_environment : {}, settings.environment)
        secrets = merge(
          settings.database ? local.database_secrets : {},
          { for setting in settings.settings : setting => "/${var.app}/${var.environment}/settings/${setting}" },
          settings.secrets,
        )
      })
    }
  }
}

module "network" {
  source = "../modules/network"

  name         = local.name
  region       = var.region
  cidr         = var.network.cidr
  zones        = var.network.zones
  nat_gateways = var.network.nat_gateways
  endpoints    = var.network.endpoints
  flow_logs    = var.network.flow_logs
}

module "load_balancer" {
  source = "../modules/load_balancer"

  name                = local.name
  vpc_id              = module.network.vpc_id
  vpc_cidr            = var.network.cidr
  subnets             = module.network.public_subnets
  certificate_arn     = var.certificate_arn
  deletion_protection = var.deletion_protection

  dns                  = one([for zone_id in var.zone_id[*] : { zone_id = zone_id, names = concat([var.domain], var.alternative_domains) }])
  clients              = var.load_balancer.clients
  tls_policy           = var.load_balancer.tls_policy
  idle_timeout_seconds = var.load_balancer.idle_timeout_seconds
  access_logs          = var.load_balancer.access_logs
  test_listener        = var.load_balancer.test_listener
  web_acl_arn          = var.load_balancer.web_acl_arn

  targets = {
    for name, target in local.balanced : name => merge(target, { port = var.services[name].containers[target.container].port })
  }
}

module "registry" {
  source = "../modules/registry"

  name            = var.app
  force_delete    = !var.deletion_protection
  kms_key_arn     = var.registry.kms_key_arn
  untagged_days   = var.registry.untagged_days
  cache_days      = var.registry.cache_days
  pull_principals = var.registry.pull_principals
  push_principals = var.registry.push_principals
}

module "ledger" {
  source = "../modules/ledger"

  name                = local.name
  deletion_protection = var.deletion_protection
}

module "cluster" {
  source = "../modules/cluster"

  name               = local.name
  services           = keys(local.tasks)
  log_prefix         = "/${var.app}/${var.environment}"
  log_retention_days = var.log_retention_days
  log_kms_key_arn    = var.log_kms_key_arn
  container_insights = var.container_insights
  capacity_providers = anytrue(concat([for service in values(var.services) : service.capacity != null], values(var.scheduled_tasks)[*].spot)) ? ["FARGATE", "FARGATE_SPOT"] : []
  exec_logging       = var.exec_logging
}

module "database" {
  source = "../modules/database"
  count  = var.database == null ? 0 : 1

  name                      = local.name
  vpc_id                    = module.network.vpc_id
  subnets                   = module.network.database_subnets
  clients                   = { for name, access in local.database_access : name => module.task[name].security_group if access }
  engine                    = var.database.engine
  engine_version            = var.database.engine_version
  instance_class            = coalesce(var.database.instance_class, startswith(var.database.engine, "aurora-") ? "db.t4g.medium" : "db.t4g.micro")
  instances                 = var.database.instances
  serverless                = var.database.serverless
  allocated_storage_gib     = var.database.allocated_storage_gib
  max_allocated_storage_gib = var.database.max_allocated_storage_gib
  database_name             = replace(var.app, "-", "_")
  username                  = replace(var.app, "-", "_")
  parameters                = var.database.parameters
  parameters_at_restart     = var.database.parameters_at_restart
  multi_az                  = var.database.multi_az
  backup_retention_days     = var.database.backup_retention_days
  backup_window             = var.database.backup_window
  maintenance_window        = var.database.maintenance_window
  apply_immediately         = var.database.apply_immediately
  log_exports               = var.database.log_exports
  log_retention_days        = var.log_retention_days
  performance_insights_days = var.database.performance_insights_days
  kms_key_arn               = var.database.kms_key_arn
  snapshot                  = var.database.snapshot
  password_rotation_days    = var.database.password_rotation_days
  deletion_protection       = var.deletion_protection
  skip_final_snapshot       = var.database.skip_final_snapshot
}

module "cache" {
  source = "../modules/cache"
  count  = var.cache == null ? 0 : 1

  name                  = local.name
  vpc_id                = module.network.vpc_id
  subnets               = module.network.database_subnets
  clients               = { for name, access in local.cache_access : name => module.task[name].security_group if access }
  engine                = var.cache.engine
  engine_version        = var.cache.engine_version
  node_type             = var.cache.node_type
  shards                = var.cache.shards
  replicas              = var.cache.replicas
  parameters            = var.cache.parameters
  iam_users             = var.cache.iam_users
  backup_retention_days = var.cache.backup_retention_days
  backup_window         = var.cache.backup_window
  maintenance_window    = var.cache.maintenance_window
  apply_immediately     = var.cache.apply_immediately
  kms_key_arn           = var.cache.kms_key_arn
  skip_final_snapshot   = var.cache.skip_final_snapshot
}

# For whoever is no task of ours: a script, a function, another application.
module "parameters" {
  source = "../modules/parameters"

  path  = "/${var.app}/${var.environment}/infrastructure"
  plain = merge(local.database_environment, local.cache_environment, var.parameters)
}

# The job `deploy` is whom the deploy role trusts.
module "ci_identity" {
  source = "../modules/ci_identity"

  name    = local.name
  signers = var.ci_identity.signers
  jobs    = var.ci_identity.jobs
}

module "roles" {
  source = "../modules/roles"

  name           = local.name
  account_id     = var.account_id
  region         = var.region
  repository_arn = module.registry.arn
  log_group_arns = module.cluster.log_group_arns
  secrets        = distinct(flatten([for containers in values(local.containers) : [for container in values(containers) : values(container.secrets)]]))

  environment_files  = distinct(flatten([for containers in values(local.containers) : [for container in values(containers) : container.environment_files]]))
  kms_key_arns       = var.settings_key_arn[*]
  exec_log_group_arn = module.cluster.exec_log_group_arn
  exec_kms_key_arn   = try(var.exec_logging.kms_key_arn, null)

  tasks = {
    for name, task in local.tasks : name => {
      permissions     = task.permissions
      policies        = task.policies
      execute_command = try(task.execute_command, false)
    }
  }
}

# Without a name in trusted_principals, and without a job, the account itself is trusted: its own policies say who.
module "deploy_role" {
  source = "../modules/deploy_role"
  count  = var.deploy_role != null || local.job_deploys ? 1 : 0

  app                  = var.app
  environment          = var.environment
  account_id           = var.account_id
  region               = var.region
  task_roles           = module.roles.passed_role_arns
  deployment_groups    = [for group in module.blue_green : { arn = group.deployment_group_arn, application_arn = group.application_arn }]
  schedules            = [for task in module.scheduled_task : { arn = task.arn, role_arn = task.role_arn }]
  build_parameters     = try(var.deploy_role.build_parameters, [])
  remote_build         = one([for build in module.remote_build : { project_arn = build.project_arn, sources_arn = build.sources_arn }])
  trusted_principals   = try(coalescelist(var.deploy_role.trusted_principals, local.job_deploys ? [] : ["arn:${data.aws_partition.this.partition}:iam::${var.account_id}:root"]), [])
  require_mfa          = try(var.deploy_role.require_mfa, false)
  external_id          = try(var.deploy_role.external_id, null)
  web_identities       = local.deploying_jobs
  max_session_seconds  = try(var.deploy_role.max_session_seconds, 3600)
  permissions_boundary = try(var.deploy_role.permissions_boundary, null)
}

module "task" {
  source   = "../modules/task"
  for_each = local.tasks

  name                  = "${local.name}-${each.key}"
  region                = var.region
  repository_url        = module.registry.url
  log_group             = module.cluster.log_groups[each.key]
  task_role_arn         = module.roles.task_role_arns[each.key]
  execution_role_arn    = module.roles.execution_role_arn
  vpc_id                = module.network.vpc_id
  cpu                   = each.value.cpu
  memory                = each.value.memory
  architecture          = var.architecture
  ephemeral_storage_gib = each.value.ephemeral_storage_gib
  containers            = local.containers[each.key]
}

module "service" {
  source     = "../modules/service"
  for_each   = var.services
  depends_on = [module.cluster] # its capacity providers

  name             = "${local.name}-${each.key}"
  cluster_arn      = module.cluster.arn
  template_arn     = module.task[each.key].template_arn
  subnets          = local.task_subnets
  security_group   = module.task[each.key].security_group
  assign_public_ip = local.public_tasks
  deployment       = each.value.deployment
  capacity         = each.value.capacity
  scaling          = each.value.scaling
  execute_command  = each.value.execute_command

  discovery = one([for found in each.value.discovery[*] : { name = each.key, namespace_id = module.service_discovery[0].namespace_id }])

  deployment_controller = each.value.codedeploy == null ? "ECS" : "CODE_DEPLOY"

  load_balancer = one([for target in each.value.load_balancer[*] : {
    container            = target.container
    port                 = each.value.containers[target.container].port
    arn                  = module.load_balancer.arn
    target_group         = module.load_balancer.target_groups[each.key]
    green_target_group   = each.value.codedeploy == null ? null : module.load_balancer.green_target_groups[each.key]
    security_group       = module.load_balancer.security_group
    grace_period_seconds = target.grace_period_seconds
  }])
}

module "blue_green" {
  source   = "../modules/blue_green"
  for_each = local.switched

  name                     = "${local.name}-${each.key}"
  cluster_arn              = module.cluster.arn
  service_name             = module.service[each.key].name
  listener                 = module.load_balancer.listener
  test_listener            = module.load_balancer.test_listener
  target_group_names       = module.load_balancer.target_group_names[each.key]
  traffic                  = each.value.traffic
  ready_wait_minutes       = each.value.ready_wait_minutes
  termination_wait_minutes = each.value.termination_wait_minutes
  alarms                   = module.service[each.key].deployment_alarms
  hooks                    = each.value.hooks
}

module "service_discovery" {
  source = "../modules/service_discovery"
  count  = length(local.found) == 0 ? 0 : 1

  name   = "${local.name}.internal"
  vpc_id = module.network.vpc_id

  connections = merge([
    for service, found in local.found : {
      for client in found.clients : "${service} from ${client}" => {
        from_group = module.task[client].security_group
        to_group   = module.task[service].security_group
        port       = found.port
      }
    }
  ]...)
}

module "scheduled_task" {
  source   = "../modules/scheduled_task"
  for_each = var.scheduled_tasks

  name             = "${local.name}-${each.key}"
  cluster_arn      = module.cluster.arn
  template_arn     = module.task[each.key].template_arn
  passed_role_arns = [module.roles.execution_role_arn, module.roles.task_role_arns[each.key]]
  subnets          = local.task_subnets
  security_group   = module.task[each.key].security_group
  assign_public_ip = local.public_tasks
  expression       = each.value.schedule
  time_zone        = each.value.time_zone
  window_minutes   = each.value.window_minutes
  tasks            = each.value.tasks
  spot             = each.value.spot
  retry            = each.value.retry
  undelivered_days = each.value.undelivered_days
}

module "observability" {
  source = "../modules/observability"
  count  = var.alarms == null ? 0 : 1

  name               = local.name
  region             = var.region
  cluster            = module.cluster.name
  services           = { for name, service in module.service : name => service.name }
  container_insights = var.container_insights != "disabled"
  load_balancer      = { arn_suffix = module.load_balancer.arn_suffix, target_groups = module.load_balancer.target_group_suffixes }
  thresholds         = var.alarms.thresholds
  patience           = var.alarms.patience
  topic_arn          = var.alarms.topic_arn
  kms_key_arn        = var.alarms.kms_key_arn
  emails             = var.alarms.emails
  webhooks           = var.alarms.webhooks

  database = one([for database in module.database : {
    identifier = coalesce(database.cluster, one(slice(database.instances, 0, 1)))
    aurora     = startswith(var.database.engine, "aurora-")
  }])

  cache = one([for cache in module.cache : { nodes = cache.nodes, count = var.cache.shards * (1 + var.cache.replicas) }])
}

# Where deploys build their images, for environments that leave that to CodeBuild.
module "remote_build" {
  source = "../modules/remote_build"
  count  = var.remote_build == null ? 0 : 1

  name             = local.name
  account_id       = var.account_id
  region           = var.region
  repository_arn   = module.registry.arn
  log_prefix       = "/${var.app}/${var.environment}"
  log_days         = var.log_retention_days
  log_kms_key_arn  = var.log_kms_key_arn
  architecture     = var.architecture
  compute_type     = var.remote_build.compute_type
  image            = var.remote_build.image
  timeout_minutes  = var.remote_build.timeout_minutes
  build_parameters = distinct(concat(var.remote_build.build_parameters, try(var.deploy_role.build_parameters, [])))
  policy_arns      = var.remote_build.policy_arns
  source_days      = var.remote_build.source_days
}

# AWS's own way from a push to running tasks, for accounts that have settled for it; the deploys above need nothing of it.
module "pipeline" {
  source = "../modules/pipeline"
  count  = var.pipeline == null ? 0 : 1

  name             = local.name
  environment      = var.environment
  account_id       = var.account_id
  region           = var.region
  source_type      = var.pipeline.source
  repository       = var.pipeline.repository
  images           = var.pipeline.images
  image_repository = { name = module.registry.name, arn = module.registry.arn, cache_arn = module.registry.cache_arn }
  cluster_arn      = module.cluster.arn
  contract         = module.contract.name
  passed_role_arns = module.roles.passed_role_arns
  build            = merge(var.pipeline.build, { architecture = var.architecture, build_parameters = concat(var.pipeline.build.build_parameters, try(var.deploy_role.build_parameters, [])) })
  approval         = var.pipeline.approval
  notifications    = var.pipeline.notifications
  artifact_days    = var.pipeline.artifact_days

  services = {
    for name, service in var.services : name => {
      service    = module.service[name].name
      family     = module.task[name].family
      containers = module.task[name].managed_containers
      codedeploy = one([for settings in service.codedeploy[*] : { application = module.blue_green[name].application, deployment_group = module.blue_green[name].deployment_group }])
    }
  }
}

module "contract" {
  source = "../modules/contract"

  app         = var.app
  environment = var.environment
  account_id  = var.account_id
  region      = var.region
  cluster     = module.cluster.arn
  repository  = module.registry.url
  ledger      = module.ledger.table
  url         = var.domain == null ? module.load_balancer.url : "https://${var.domain}"

  cache_repository = module.registry.cache_url
  remote_build     = one(module.remote_build[*].contract)

  services = {
    for name, service in var.services : name => {
      name             = module.service[name].name
      family           = module.task[name].family
      template         = module.task[name].template_arn
      desired_count    = service.desired_count
      containers       = module.task[name].managed_containers
      subnets          = local.task_subnets
      security_groups  = [module.task[name].security_group]
      assign_public_ip = local.public_tasks
      log_group        = module.cluster.log_groups[name]

      load_balancer = one([for target in service.load_balancer[*] : {
        container     = target.container
        port          = service.containers[target.container].port
        target_groups = compact([module.load_balancer.target_groups[name], lookup(module.load_balancer.green_target_groups, name, "")])
        listener      = module.load_balancer.listener
        test_listener = try(coalesce(module.load_balancer.test_listener), "")
      }])

      codedeploy = one([for settings in service.codedeploy[*] : {
        application              = module.blue_green[name].application
        deployment_group         = module.blue_green[name].deployment_group
        ready_wait_minutes       = settings.ready_wait_minutes
        shift_minutes            = module.blue_green[name].shift_minutes
        termination_wait_minutes = settings.termination_wait_minutes
        platform_version         = settings.platform_version
        capacity                 = module.service[name].capacity
        hooks                    = settings.hooks
      }])
    }
  }

  scheduled_tasks = {
    for name, task in var.scheduled_tasks : name => {
      name             = module.scheduled_task[name].name
      family           = module.task[name].family
      template         = module.task[name].template_arn
      schedule         = module.scheduled_task[name].name
      enabled          = task.enabled
      containers       = module.task[name].managed_containers
      subnets          = local.task_subnets
      security_groups  = [module.task[name].security_group]
      assign_public_ip = local.public_tasks
      log_group        = module.cluster.log_groups[name]
    }
  }
}
