import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Place } from '../manifests/manifests.ts'
import { RULES } from '../rules/index.ts'
import { json } from './json.ts'
import { isDenial, type Reported } from './reported.ts'

/** Static Analysis Results Interchange Format 2.1.0 (OASIS), as code scanning takes it. */
export function sarif(findings: readonly Reported[], version: string): string {
  const rules = RULES.filter(({ id }) => findings.some(({ rule }) => rule === id))
  const described = rules.map(({ id, summary, description, remedy }) => ({
    id,
    shortDescription: { text: summary },
    fullDescription: { text: description },
    help: { text: remedy }
  }))
  const results = findings.map((finding) => ({
    ruleId: finding.rule,
    ruleIndex: rules.findIndex(({ id }) => id === finding.rule),
    level: isDenial(finding) ? 'error' : 'warning',
    message: { text: finding.text },
    locations: [location(finding)]
  }))
  return json({
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver: { name: 'hitless', version, rules: described } }, columnKind: 'utf16CodeUnits', results }]
  })
}

function location({ object, place }: Reported) {
  return {
    ...(place === null ? {} : { physicalLocation: physical(place) }),
    logicalLocations: [{ fullyQualifiedName: object, kind: 'object' }]
  }
}

function physical({ file, line, column }: Place) {
  return { artifactLocation: { uri: uriOf(file) }, region: { startLine: line, startColumn: column } }
}

/** From the root of the repository where a command runs there; a path that is absolute is told with its scheme, since nobody could complete it (SARIF1004). */
function uriOf(file: string): string {
  return isAbsolute(file) ? pathToFileURL(file).href : file.replaceAll('\\', '/').split('/').map(encodeURIComponent).join('/')
}
