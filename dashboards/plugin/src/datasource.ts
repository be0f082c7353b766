import { CoreApp, DataSourceInstanceSettings, MetricFindValue, ScopedVars } from '@grafana/data';
import { DataSourceWithBackend, getTemplateSrv } from '@grafana/runtime';

import { Choice, NamesOf, PlannerQuery, PlannerSettings } from './types';
import { AnnotationEditor } from './AnnotationEditor';
import { VariableSupport } from './variables';

// Fields in which a variable may stand.
const texts = ['class', 'tier', 'zone', 'series', 'limit', 'horizon', 'flavor', 'plan', 'project', 'sources', 'kinds', 'resource'] as const;

export class PlannerDataSource extends DataSourceWithBackend<PlannerQuery, PlannerSettings> {
  constructor(settings: DataSourceInstanceSettings<PlannerSettings>) {
    super(settings);
    this.annotations = { QueryEditor: AnnotationEditor, getDefaultQuery: () => ({ queryType: 'events', show: ['events'] }) };
    this.variables = new VariableSupport(this);
  }

  override getDefaultQuery(app: CoreApp): Partial<PlannerQuery> {
    // An alert rule does not show what a number is of, but needs one.
    const alerting = app === CoreApp.UnifiedAlerting || app === CoreApp.CloudAlerting;
    return alerting ? { queryType: 'forecast', format: 'number' } : { queryType: 'capacity', format: 'table', by: 'zone' };
  }

  override filterQuery(query: PlannerQuery): boolean {
    // Without anything to forecast there is nothing to ask yet.
    const fan = query.queryType === 'forecast' && (query.format ?? 'time_series') === 'time_series';
    return !fan || Boolean(query.tier || query.zone || query.series);
  }

  override applyTemplateVariables(query: PlannerQuery, scopedVars: ScopedVars): PlannerQuery {
    const templates = getTemplateSrv();
    const next = { ...query };
    for (const name of texts) {
      const text = next[name];
      if (text) {
        // Several values come with commas between them; "All" of a variable without a value of its own is all names.
        next[name] = templates.replace(text, scopedVars, name === 'series' ? undefined : 'csv');
      }
    }
    return next;
  }

  names(of: NamesOf): Promise<Choice[]> {
    return this.getResource('names/' + of);
  }

  override async metricFindQuery(query: { of?: NamesOf }): Promise<MetricFindValue[]> {
    return query.of ? this.names(query.of) : [];
  }
}
