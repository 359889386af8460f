import { createRouter, createWebHistory } from 'vue-router'
import type { RouteRecordRaw } from 'vue-router'
import { useOpening } from '../composables/index.ts'
import ProjectShell from './ProjectShell.vue'
import NotFound from './NotFound.vue'
import { steps } from './steps.ts'
import type { Step } from './steps.ts'

const stepViews: Record<Step, () => Promise<unknown>> = {
  pictures: () => import('../features/dataset/DatasetView.vue'),
  train: () => import('../features/train/TrainView.vue'),
  results: () => import('../features/evaluate/EvaluateView.vue'),
  use: () => import('../features/use/UseView.vue'),
  export: () => import('../features/export/ExportView.vue'),
}

const routes: RouteRecordRaw[] = [
  { path: '/', name: 'start', component: () => import('../features/projects/StartView.vue') },
  { path: '/settings', name: 'settings', component: () => import('../features/settings/SettingsView.vue') },
  {
    path: '/p/:projectId',
    name: 'project',
    component: ProjectShell,
    beforeEnter: (to) => void useOpening().enter(String(to.params['projectId'])),
    redirect: (to) => ({ name: 'pictures', params: to.params }),
    children: steps.map((step) => ({ path: step, name: step, component: stepViews[step] as never })),
  },
  { path: '/:rest(.*)*', name: 'not-found', component: NotFound },
]

export const router = createRouter({ history: createWebHistory(), routes })
