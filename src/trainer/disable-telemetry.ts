/** Imported for its effect, before ONNX Runtime is: modules are evaluated in the order of their imports. */
process.env.ORT_DISABLE_TELEMETRY = '1';
