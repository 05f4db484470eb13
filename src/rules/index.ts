/** The rules, in the order of the documentation: gaps first, then hygiene. */
import { allAtOnce } from './all-at-once.ts'
import { answersNothing } from './answers-nothing.ts'
import { conflictingHost } from './conflicting-host.ts'
import { deadMirror } from './dead-mirror.ts'
import { entryInUse } from './entry-in-use.ts'
import { gatewayInUse } from './gateway-in-use.ts'
import { grantInUse } from './grant-in-use.ts'
import { halfQualifiedHost } from './half-qualified-host.ts'
import { hiddenService } from './hidden-service.ts'
import { misplacedField } from './misplaced-field.ts'
import { missingFallback } from './missing-fallback.ts'
import { obsoleteSubset } from './obsolete-subset.ts'
import { portInUse } from './port-in-use.ts'
import type { Rule } from './rule.ts'
import { selectorInUse } from './selector-in-use.ts'
import { serviceRemoved } from './service-removed.ts'
import { sidecarHides } from './sidecar-hides.ts'
import { subsetInUse } from './subset-in-use.ts'
import { tlsMismatch } from './tls-mismatch.ts'
import { undefinedSubset } from './undefined-subset.ts'
import { unknownDestination } from './unknown-destination.ts'
import { unreachableRoute } from './unreachable-route.ts'
import { unreadyDestination } from './unready-destination.ts'
import { unversionedWorkload } from './unversioned-workload.ts'
import { versionInSelector } from './version-in-selector.ts'
import { workloadInUse } from './workload-in-use.ts'
import { workloadName } from './workload-name.ts'

export const RULES: readonly Rule[] = [
  missingFallback,
  undefinedSubset,
  unreadyDestination,
  unknownDestination,
  subsetInUse,
  workloadInUse,
  allAtOnce,
  selectorInUse,
  portInUse,
  hiddenService,
  gatewayInUse,
  grantInUse,
  entryInUse,
  sidecarHides,
  tlsMismatch,
  versionInSelector,
  unversionedWorkload,
  workloadName,
  obsoleteSubset,
  misplacedField,
  unreachableRoute,
  deadMirror,
  conflictingHost,
  halfQualifiedHost,
  serviceRemoved,
  answersNothing
]

export const RULE_IDS: readonly string[] = RULES.map(({ id }) => id)
