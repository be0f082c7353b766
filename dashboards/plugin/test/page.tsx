// The page that the tests drive: it shows an editor as Grafana would, keeps what the
// editor says, and hands that back to it.
import { createTheme, ThemeContext } from '@grafana/data';
import React, { useState } from 'react';
import { createRoot, Root } from 'react-dom/client';

import { AnnotationEditor } from '../src/AnnotationEditor';
import { ConfigEditor } from '../src/ConfigEditor';
import { QueryEditor } from '../src/QueryEditor';
import { VariableQueryEditor } from '../src/variables';
import type { Choice } from '../src/types';

/* eslint-disable @typescript-eslint/no-explicit-any -- props of any editor */
interface Shown {
  changes: any[];
  runs: number;
  asked: string[];
}

const editors: Record<string, { component: React.ComponentType<any>; value: string; change: string }> = {
  query: { component: QueryEditor, value: 'query', change: 'onChange' },
  annotation: { component: AnnotationEditor, value: 'query', change: 'onChange' },
  variable: { component: VariableQueryEditor, value: 'query', change: 'onChange' },
  config: { component: ConfigEditor, value: 'options', change: 'onOptionsChange' },
};

const names: Record<string, Choice[]> = {
  tiers: [
    { text: 'nvme', value: 'nvme' },
    { text: 'sas10k', value: 'sas10k' },
  ],
  zones: [{ text: 'az-a', value: 'az-a' }],
  projects: [{ text: 'acme', value: 'p1' }],
};

let root: Root | undefined;

function show(name: string, initial: any, failing = false): void {
  const shown: Shown = { changes: [], runs: 0, asked: [] };
  const { component: Editor, value, change } = editors[name];
  const datasource = {
    names: (of: string) => {
      shown.asked.push(of);
      return failing ? Promise.reject({ data: { message: 'GET http://planner/api/v1/' + of + ' failed' } }) : Promise.resolve(names[of] ?? []);
    },
  };
  function Held() {
    const [held, setHeld] = useState(initial);
    const props = {
      datasource,
      [value]: held,
      [change]: (next: any) => {
        shown.changes.push(next);
        setHeld(next);
      },
      onRunQuery: () => shown.runs++,
    };
    return <Editor {...props} />;
  }
  root?.unmount();
  document.body.innerHTML = '<div id="app"></div>';
  root = createRoot(document.getElementById('app')!);
  root.render(
    <ThemeContext.Provider value={createTheme()}>
      <Held key={Math.random()} />
    </ThemeContext.Provider>
  );
  Object.assign(window, { shown });
}

Object.assign(window, { show });
