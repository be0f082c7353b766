import { CustomVariableSupport, DataQueryRequest, DataQueryResponse, QueryEditorProps } from '@grafana/data';
import { InlineField, Select } from '@grafana/ui';
import React from 'react';
import { from, Observable } from 'rxjs';

import type { PlannerDataSource } from './datasource';
import { NamesOf, PlannerQuery, PlannerSettings } from './types';

export interface VariableQuery extends PlannerQuery {
  of?: NamesOf;
}

const lists: Array<{ value: NamesOf; label: string }> = [
  { value: 'clouds', label: 'Cloud' },
  { value: 'zones', label: 'Availability zones' },
  { value: 'hosts', label: 'Hosts' },
  { value: 'classes', label: 'Resource classes' },
  { value: 'flavors', label: 'Flavors' },
  { value: 'projects', label: 'Projects' },
  { value: 'tiers', label: 'Storage tiers' },
  { value: 'plans', label: 'Rebalance plans' },
];

type Props = QueryEditorProps<PlannerDataSource, VariableQuery, PlannerSettings>;

export function VariableQueryEditor({ query, onChange, onRunQuery }: Props) {
  return (
    <InlineField label="Names of" labelWidth={16} tooltip="The values of the variable; projects stand for their ids">
      <Select
        inputId="variable-of"
        width={32}
        options={lists}
        value={query.of}
        onChange={(chosen) => {
          onChange({ ...query, refId: query.refId || 'names', of: chosen.value });
          onRunQuery();
        }}
      />
    </InlineField>
  );
}

export class VariableSupport extends CustomVariableSupport<PlannerDataSource, VariableQuery, PlannerQuery, PlannerSettings> {
  editor = VariableQueryEditor;

  constructor(private readonly datasource: PlannerDataSource) {
    super();
  }

  query = (request: DataQueryRequest<VariableQuery>): Observable<DataQueryResponse> =>
    from(this.datasource.metricFindQuery({ of: request.targets[0]?.of }).then((data) => ({ data })));
}
