/** The rules, in the order of the documentation: gaps first, then hygiene. */
import { conflictingHost } from './conflicting-host.ts'
import { deadMirror } from './dead-mirror.ts'
import { halfQualifiedHost } from './half-qualified-host.ts'
import { misplacedField } from './misplaced-field.ts'
import { missingFallback } from './missing-fallback.ts'
import { obsoleteSubset } from './obsolete-subset.ts'
import type { Rule } from './rule.ts'
import { selectorInUse } from './selector-in-use.ts'
import { serviceRemoved } from './service-removed.ts'
import { subsetInUse } from './subset-in-use.ts'
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
  selectorInUse,
  versionInSelector,
  unversionedWorkload,
  workloadName,
  obsoleteSubset,
  misplacedField,
  unreachableRoute,
  deadMirror,
  conflictingHost,
  halfQualifiedHost,
  serviceRemoved
]

export const RULE_IDS: readonly string[] = RULES.map(({ id }) => id)
