/** Kubernetes' LabelSelector. */
import type { LabelSelector } from '../mesh/names/labels.ts'
import type { Fields } from './fields.ts'

export function parseLabelSelector(selector: Fields): LabelSelector {
  return {
    matchLabels: selector.labels('matchLabels'),
    matchExpressions: selector.each('matchExpressions', (expression) => ({
      key: expression.string('key'),
      operator: expression.string('operator'),
      values: expression.strings('values')
    }))
  }
}
