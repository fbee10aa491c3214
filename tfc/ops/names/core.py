"""Names of modes, of sets of variables, of shapes' entries and of versions in `tf` itself.
Re-exports, nothing else."""

from tfc.base.dimensions import dimension_at_index, dimension_value
from tfc.base.logging import get_logger
from tfc.framework.gradient_registry import NotDifferentiable as no_gradient
from tfc.framework.partitioned import (
    fixed_size_partitioner,
    min_max_variable_partitioner,
    variable_axis_size_partitioner,
)
from tfc.framework.v1_mode import (
    control_flow_v2_enabled,
    disable_control_flow_v2,
    disable_eager_execution,
    disable_resource_variables,
    disable_tensor_equality,
    disable_v2_behavior,
    disable_v2_tensorshape,
    enable_resource_variables,
    executing_eagerly,
    executing_eagerly_outside_functions,
    init_scope,
    resource_variables_enabled,
)
from tfc.framework.variable_lists import (
    all_variables,
    assert_variables_initialized,
    global_variables,
    global_variables_initializer,
    initialize_all_tables,
    initialize_all_variables,
    initialize_local_variables,
    initialize_variables,
    is_variable_initialized,
    local_variables,
    local_variables_initializer,
    model_variables,
    moving_average_variables,
    report_uninitialized_variables,
    tables_initializer,
    trainable_variables,
    variables_initializer,
)
from tfc.framework.variable_scope import create_partitioned_variables
from tfc.version import (
    GIT_VERSION,
    GRAPH_DEF_VERSION,
    GRAPH_DEF_VERSION_MIN_CONSUMER,
    GRAPH_DEF_VERSION_MIN_PRODUCER,
    VERSION,
)
