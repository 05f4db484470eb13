/** The schema of the chart's values: all that it says of `config` is the schema of the configuration file. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { configSchema } from '../../src/config.ts'
import { RULE_IDS } from '../../src/rules/index.ts'

export const VALUES_SCHEMA = 'charts/hitless/values.schema.json'

export function valuesSchema(): string {
  const text = readFileSync(join(import.meta.dirname, '../..', VALUES_SCHEMA), 'utf8')
  const schema = JSON.parse(text) as { properties: Record<string, unknown> }
  return `${JSON.stringify({ ...schema, properties: { ...schema.properties, config: configSchema(RULE_IDS) } }, null, 2)}\n`
}
