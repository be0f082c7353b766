import { QueryEditorProps } from '@grafana/data';
import React from 'react';

import type { PlannerDataSource } from './datasource';
import { QueryEditor } from './QueryEditor';
import { PlannerQuery, PlannerSettings } from './types';

type Props = QueryEditorProps<PlannerDataSource, PlannerQuery, PlannerSettings>;

// Annotations are events; there is no other type to choose.
export function AnnotationEditor(props: Props) {
  const query: PlannerQuery = { ...props.query, queryType: 'events' };
  return <QueryEditor {...props} query={query} only="events" />;
}
