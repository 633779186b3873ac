/** The parts of the model card that the page shows; an older card may lack any of them. */

export interface Metrics {
  accuracy: number;
  accuracy_ci95?: [number, number];
  f1?: number;
  roc_auc?: number;
  log_loss?: number;
  ece?: number;
}

export interface Card {
  model_version: string;
  created_at?: string;
  labels: string[];
  max_length: number;
  truncation: string;
  architecture?: Record<string, string | number>;
  base_model?: string;
  data?: { name?: string; fingerprint?: string; rows?: Record<string, number>; dropped?: Record<string, number> };
  metrics?: {
    rows?: number;
    fp32?: Metrics;
    int8?: Metrics;
    flipped?: number;
    confusion?: number[][]; // by label and decision
    reliability?: ReliabilityBin[];
  };
  export?: { chosen?: string; candidates?: Candidate[] };
  calibration?: { temperature?: number; ece?: { before: number; after: number } };
  training?: Record<string, unknown>;
  git_commit?: string | null;
  mlflow_run_id?: string | null;
}

export interface Candidate {
  name: string;
  accuracy: number;
  flipped: number;
  latency_ms: number;
  size_mb: number;
  passed: boolean;
}

export interface ReliabilityBin {
  rows: number;
  confidence: number;
  accuracy: number;
}
