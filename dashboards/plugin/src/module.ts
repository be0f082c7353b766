import { DataSourcePlugin } from '@grafana/data';

import { ConfigEditor } from './ConfigEditor';
import { PlannerDataSource } from './datasource';
import { QueryEditor } from './QueryEditor';
import { PlannerQuery, PlannerSecrets, PlannerSettings } from './types';

export const plugin = new DataSourcePlugin<PlannerDataSource, PlannerQuery, PlannerSettings, PlannerSecrets>(PlannerDataSource)
  .setConfigEditor(ConfigEditor)
  .setQueryEditor(QueryEditor);
