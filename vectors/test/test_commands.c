/* SPDX-License-Identifier: MIT
 *
 * What commands do: index, nesting, soft failure, conditions, directives, procedures;
 * with the order of effects, the number of writes and, for failures, the byte.
 */
#include "rows.h"

static sim s;

static const row index_rows[] = {
    {"index_default_is_0", ONE, NULL, "7 <<[20 {" IS_A "} 3 15]>>", "", U, 0, 0, 0},
    {"index_int", TWO, NULL, "7 <<[12 1 20 {" IS_B "} 3 15]>>", "", U, 0, 0, 0},
    {"index_true_runs_all", TWO, NULL,
     "7 <<[12 0 20 {" IS_A "} 12 1 20 {" IS_B "} 12 true 3 15]>>", "", U, 0, 0, 0},
    {"index_true_fails_on_the_second", TWO, NULL,
     "7 <<[12 0 20 {" IS_A "} 12 1 20 {" IS_A "} 12 true @3 15]>>", "", U,
     PICOSUIT_E_CONDITION, 3, 0},
    {"index_true_in_declared_order", TWO, NULL, "20 <<[12 true 20 {21 \"c\"} 21 0]>>",
     "b0e0b1e1", U, 0, 0, 10},
    {"index_true_with_one", ONE, NULL, "7 <<[12 true 20 {" IS_A "} 3 15]>>", "", U, 0, 0,
     0},
    {"index_list_in_listed_order", THREE, NULL, "20 <<[12 [2 0] 20 {21 \"b\"} 21 0]>>",
     "b2e2b0e0", U, 0, 0, 8},
    {"index_list_of_one", TWO, NULL, "7 <<[12 [1] 20 {" IS_B "} 3 15]>>", "", U, 0, 0, 0},
    {"index_list_sets_each", THREE, NULL,
     "7 <<[12 [0 2] 20 {" IS_A "} 12 0 3 15 12 1 @3 15]>>", "", U, PICOSUIT_E_CONDITION,
     3, 0},
    {"index_true_override_is_for_all", TWO, NULL,
     "7 <<[12 true 20 {14 200} 12 1 20 {3 " SUM_B "} 3 15]>>", "", U, 0, 0, 0},
    {"index_nested_is_preset", TWO, NULL,
     "7 <<[12 0 20 {" IS_A "} 12 1 20 {" IS_B "} 12 true 32 <<[3 15]>>]>>", "", U, 0, 0,
     0},
    {"index_nested_loop_is_over_the_sequence", TWO, NULL,
     "20 <<[12 true 32 <<[20 {21 \"a\"} 21 0 20 {21 \"b\"} 21 0]>>]>>",
     "b0e0b0e0b1e1b1e1", U, 0, 0, 12},
    {"index_nested_is_restored", TWO, NULL,
     "7 <<[12 0 20 {" IS_A "} 32 <<[12 1 20 {14 7}]>> 3 15]>>", "", U, 0, 0, 0},
    {"index_nested_change_ends_with_the_lap", THREE, NULL,
     "20 <<[12 [0 1] 32 <<[12 2 20 {21 \"a\"} 21 0]>>]>>", "b2e2b2e2", U, 0, 0, 4},
    {"index_try_runs_per_component", TWO, NULL,
     "7 <<[12 true 15 [<<[20 {" IS_A "} 3 15]>> <<[20 {" IS_B "} 3 15]>>]]>>", "", U, 0,
     0, 0},
    {"index_is_reset_for_each_section", TWO, NULL,
     "7 <<[12 0 20 {" IS_A "} 3 15]>> 20 <<[12 1 20 {" IS_B "} 3 15]>>", "", U, 0, 0, 0},
    {"index_out_of_range", TWO, NULL, "7 <<[12 0 3 15 @12 2 3 15]>>", "", U,
     PICOSUIT_E_INDEX, 0, 0},
    {"index_missing", TWO, NULL, "7 <<[@20 {" IS_A "} 3 15]>>", "", U, PICOSUIT_E_INDEX,
     0, 0},
    {"index_list_beyond", TWO, NULL, "7 <<[12 0 15 [<<[3 15]>> <<[@12 [0 2] 3 15]>>]]>>",
     "", U, PICOSUIT_E_INDEX, 0, 0},
};

static const row nest_rows[] = {
    {"try_first_succeeds", ONE, NULL,
     "7 <<[15 [<<[20 {" IS_A "} 3 15]>> <<[14 15]>>] 3 15]>>", "", U, 0, 0, 0},
    {"try_second_succeeds", ONE, NULL,
     "7 <<[15 [<<[20 {" IS_B "} 3 15]>> <<[20 {" IS_A "} 3 15]>>]]>>", "", U, 0, 0, 0},
    {"try_rest_is_skipped", ONE, NULL,
     "20 <<[15 [<<[20 {21 \"a\"} 21 0]>> <<[20 {21 \"b\"} 21 0]>>]]>>", "b0e0", U, 0, 0,
     2},
    {"try_exhausted", ONE, NULL, "7 <<[@15 [<<[14 15]>> <<[14 15]>>]]>>", "", U,
     PICOSUIT_E_TRY, 15, 0},
    {"try_nil_succeeds", ONE, NULL, "7 <<[15 [<<[14 15]>> <<[14 15]>> null]]>>", "", U, 0,
     0, 0},
    {"try_failed_parameters_stay", ONE, NULL,
     "7 <<[15 [<<[20 {" IS_A "} 14 15]>> <<[3 15]>>]]>>", "", U, 0, 0, 0},
    {"try_soft_failure_false_aborts", ONE, NULL,
     "7 <<[15 [<<[20 {13 false} @14 15]>> <<[20 {" IS_A "} 3 15]>>]]>>", "", U,
     PICOSUIT_E_CONDITION, 14, 0},
    {"try_soft_failure_false_then_true", ONE, NULL,
     "7 <<[15 [<<[20 {13 false} 20 {13 true} 14 15]>> <<[20 {" IS_A "} 3 15]>>]]>>", "",
     U, 0, 0, 0},
    {"try_inner_exhausted_aborts", ONE, NULL,
     "7 <<[15 [<<[@15 [<<[14 15]>> <<[14 15]>>]]>> <<[20 {" IS_A "} 3 15]>>]]>>", "", U,
     PICOSUIT_E_TRY, 15, 0},
    {"try_inner_nil_goes_on", ONE, NULL,
     "7 <<[15 [<<[15 [<<[14 15]>> <<[14 15]>> null] 14 15]>> <<[20 {" IS_A
     "} 3 15]>>]]>>",
     "", U, 0, 0, 0},
    {"try_directive_failure_aborts", ONE, NULL,
     "20 <<[15 [<<[@21 0]>> <<[20 {21 \"a\"} 21 0]>>]]>>", "", U, PICOSUIT_E_UNSET, 21,
     0},
    {"try_fetch_of_other_bytes_takes_the_next", ONE, NULL,
     "20 <<[20 {" IS_B "} 15 [<<[20 {14 100 21 \"a\"} 21 0 3 15]>> "
     "<<[20 {14 200 21 \"b\"} 21 0 3 15]>>]]>>",
     "b0x0b0e0", U, 0, 0, 6},
    {"try_per_component_exhausted", TWO, NULL,
     "7 <<[12 0 20 {" IS_A "} 12 1 20 {" IS_C "} 12 true @15 [<<[3 15]>> <<[14 15]>>]]>>",
     "", U, PICOSUIT_E_TRY, 15, 0},
    {"try_slot_selects", ONE, NULL,
     "20 <<[15 [<<[20 {5 0} 5 15 20 {21 \"b\"}]>> "
     "<<[20 {5 1} 5 15 20 {21 \"c\"}]>>] 21 0]>>",
     "b0e0", U, 0, 0, 5},
    {"try_in_the_shared_sequence", ONE,
     "[15 [<<[20 {5 0} 5 15 20 {" IS_B "}]>> <<[20 {5 1} 5 15 20 {" IS_A "}]>>]]",
     "7 <<[3 15]>>", "", U, 0, 0, 0},
    {"run_succeeds", ONE, NULL, "7 <<[32 <<[20 {" IS_A "}]>> 3 15]>>", "", U, 0, 0, 0},
    {"run_forwards_the_condition", ONE, NULL, "7 <<[32 <<[@14 15]>>]>>", "", U,
     PICOSUIT_E_CONDITION, 14, 0},
    {"run_soft_failure_stops_and_succeeds", ONE, NULL,
     "20 <<[32 <<[20 {13 true} 14 15 20 {21 \"a\"} 21 0]>> 20 {21 \"b\"} 21 0]>>", "b0e0",
     U, 0, 0, 4},
    {"run_condition_counts_in_a_try", ONE, NULL,
     "7 <<[15 [<<[32 <<[14 15]>>]>> <<[20 {" IS_A "} 3 15]>>]]>>", "", U, 0, 0, 0},
    {"run_does_not_inherit_soft_failure", ONE, NULL,
     "20 <<[15 [<<[32 <<[14 15]>> 20 {21 \"b\"} 21 0]>> <<[20 {21 \"a\"} 21 0]>>]]>>",
     "b0e0", U, 0, 0, 2},
    {"run_soft_failure_ends_with_it", ONE, NULL,
     "7 <<[32 <<[20 {13 true} 14 15]>> 32 <<[@14 15]>>]>>", "", U, PICOSUIT_E_CONDITION,
     14, 0},
    {"run_in_soft_failure_is_hard_again", ONE, NULL,
     "7 <<[32 <<[20 {13 true} 32 <<[14 15]>> 20 {" IS_B "}]>> 20 {" IS_A "} 3 15]>>", "",
     U, 0, 0, 0},
    {"run_directive_failure_aborts", ONE, NULL, "20 <<[32 <<[20 {13 true} @21 0]>>]>>",
     "", U, PICOSUIT_E_UNSET, 21, 0},
    {"run_in_run_in_try_aborts_on_false", ONE, NULL,
     "7 <<[15 [<<[20 {13 false} 32 <<[32 <<[@14 15]>>]>>]>> <<[20 {" IS_A "} 3 15]>>]]>>",
     "", U, PICOSUIT_E_CONDITION, 14, 0},
    {"run_depth_8", ONE, NULL,
     "7 <<[32 <<[32 <<[32 <<[32 <<[32 <<[32 <<[32 <<[20 {" IS_A "} 3 "
     "15]>>]>>]>>]>>]>>]>>]>>]>>",
     "", U, 0, 0, 0},
    {"run_depth_9", ONE, NULL,
     "7 <<[32 <<[32 <<[32 <<[32 <<[32 <<[32 <<[32 <<[@32 <<[20 {" IS_A "} 3 "
     "15]>>]>>]>>]>>]>>]>>]>>]>>]>>",
     "", U, PICOSUIT_E_LIMIT, 0, 0},
    {"steps_run_out", ONE, NULL,
     "7 <<[12 [0 0 0 0 0 0 0 0] 32 <<[12 [0 0 0 0 0 0 0 0] 32 <<[12 [0 0 0 0 0 0 0 0] 32 "
     "<<[12 [0 0 0 0 0 0 0 0] 20 {14 1}]>>]>>]>>]>>",
     "", U, PICOSUIT_E_STEPS, 0, 0},
};

static const row condition_rows[] = {
    {"vendor", ONE, NULL, "7 <<[20 {" VENDOR "} 1 15]>>", "", U, 0, 0, 0},
    {"vendor_other", ONE, NULL, "7 <<[20 {1 " OTHER "} @1 15]>>", "", U,
     PICOSUIT_E_CONDITION, 1, 0},
    {"vendor_unset", ONE, NULL, "7 <<[@1 15]>>", "", U, PICOSUIT_E_CONDITION, 1, 0},
    {"vendor_pen_without", ONE, NULL, "7 <<[20 {1 112(h'19fe')} @1 15]>>", "", U,
     PICOSUIT_E_CONDITION, 1, 0},
    {"class", ONE, NULL, "7 <<[20 {" CLASS "} 2 15]>>", "", U, 0, 0, 0},
    {"class_other", ONE, NULL, "7 <<[20 {2 " OTHER "} @2 15]>>", "", U,
     PICOSUIT_E_CONDITION, 2, 0},
    {"class_unset", ONE, NULL, "7 <<[@2 15]>>", "", U, PICOSUIT_E_CONDITION, 2, 0},
    {"device", ONE, NULL, "7 <<[20 {" DEVICE "} 24 15]>>", "", U, 0, 0, 0},
    {"device_other", ONE, NULL, "7 <<[20 {24 " OTHER "} @24 15]>>", "", U,
     PICOSUIT_E_CONDITION, 24, 0},
    {"device_unset", ONE, NULL, "7 <<[@24 15]>>", "", U, PICOSUIT_E_CONDITION, 24, 0},
    {"slot", ONE, NULL, "7 <<[20 {5 1} 5 15]>>", "", U, 0, 0, 0},
    {"slot_other", ONE, NULL, "7 <<[20 {5 0} @5 15]>>", "", U, PICOSUIT_E_CONDITION, 5,
     0},
    {"slot_unset", ONE, NULL, "7 <<[@5 15]>>", "", U,
     PICOSUIT_WITH_SLOTS ? PICOSUIT_E_CONDITION : PICOSUIT_E_COMMAND, 5, 0},
    {"abort", ONE, NULL, "7 <<[@14 15]>>", "", U, PICOSUIT_E_CONDITION, 14, 0},
    {"match", ONE, NULL, "7 <<[20 {" IS_A "} 3 15]>>", "", U, 0, 0, 0},
    {"match_other_digest", ONE, NULL, "7 <<[20 {3 " SUM_B " 14 100} @3 15]>>", "", U,
     PICOSUIT_E_CONDITION, 3, 0},
    {"match_shorter", ONE, NULL, "7 <<[20 {3 " SUM_A " 14 99} @3 15]>>", "", U,
     PICOSUIT_E_CONDITION, 3, 0},
    {"match_longer", ONE, NULL, "7 <<[20 {3 " SUM_A " 14 101} @3 15]>>", "", U,
     PICOSUIT_E_CONDITION, 3, 0},
    {"match_beyond_capacity", ONE, NULL, "7 <<[20 {3 " SUM_A " 14 8193} @3 15]>>", "", U,
     PICOSUIT_E_CONDITION, 3, 0},
    {"match_without_size", ONE, NULL, "7 <<[20 {3 " SUM_A "} 3 15]>>", "", U, 0, 0, 0},
    {"match_without_digest", ONE, NULL, "7 <<[20 {14 100} @3 15]>>", "", U,
     PICOSUIT_E_CONDITION, 3, 0},
    {"match_of_nothing", "[['stage']]", NULL, "7 <<[20 {" IS_A "} @3 15]>>", "", U,
     PICOSUIT_E_CONDITION, 3, 0},
    {"content", "[['stage']]", NULL,
     "7 <<[20 {18 'hello'} 6 15]>> 20 <<[20 {18 'hello'} 18 0 6 15]>>", "b3e3", U, 0, 0,
     1},
    {"content_other", "[['stage']]", NULL,
     "7 <<[20 {18 'hellO'} @6 15]>> 20 <<[20 {18 'hello'} 18 0]>>", "b3e3", U,
     PICOSUIT_E_CONDITION, 6, 1},
    {"content_shorter", "[['stage']]", NULL,
     "7 <<[20 {18 'hell'} @6 15]>> 20 <<[20 {18 'hello'} 18 0]>>", "b3e3", U,
     PICOSUIT_E_CONDITION, 6, 1},
    {"content_longer", "[['stage']]", NULL,
     "7 <<[20 {18 'hello!'} @6 15]>> 20 <<[20 {18 'hello'} 18 0]>>", "b3e3", U,
     PICOSUIT_E_CONDITION, 6, 1},
    {"content_unset", ONE, NULL, "7 <<[@6 15]>>", "", U, PICOSUIT_E_CONDITION, 6, 0},
    {"content_of_130_bytes", ONE, NULL, "20 <<[20 {18 z(130)} 18 0 6 15]>>", "b0e0", U, 0,
     0, 3},
    {"parameters_are_per_component", TWO, NULL,
     "7 <<[12 0 20 {" IS_A "} 12 1 20 {14 200} @3 15]>>", "", U, PICOSUIT_E_CONDITION, 3,
     0},
    {"parameters_later_value_wins", ONE, NULL, "7 <<[20 {" IS_B "} 20 {" IS_A "} 3 15]>>",
     "", U, 0, 0, 0},
    {"set_parameters_keeps_what_is_set", ONE, NULL,
     "7 <<[20 {14 100} 19 {3 " SUM_A " 14 7} 3 15]>>", "", U, 0, 0, 0},
    {"set_parameters_sets_what_is_not", ONE, NULL, "7 <<[19 {" IS_A "} 3 15]>>", "", U, 0,
     0, 0},
    {"parameters_out_of_order", ONE, NULL,
     "7 <<[20 {12 false 14 100 @3 " SUM_A "} 3 15]>>", "", U, PICOSUIT_E_ORDER, 0, 0},
    {"strict_order_true", ONE, NULL,
     "7 <<[20 {" IS_A "} 20 {12 true} 3 15 20 {12 false}]>>", "", U, 0, 0, 0},
};

static const row directive_rows[] = {
    {"fetch", ONE, NULL, "20 <<[20 {" IS_C " 21 \"c\"} 21 0 3 15]>>", "b0e0", U, 0, 0, 5},
    {"fetch_skipped_when_it_is_there", ONE, NULL,
     "20 <<[20 {" IS_A " 21 \"a\"} 21 0 3 15]>>", NULL, U, 0, 0, -1},
    {"fetch_without_size", ONE, NULL,
     "7 <<[20 {" IS_C "} 3 15]>> 20 <<[20 {21 \"c\"} 21 0]>>", "b0e0", U, 0, 0, 5},
    {"fetch_without_uri", ONE, NULL, "20 <<[20 {" IS_B "} @21 0]>>", "", U,
     PICOSUIT_E_UNSET, 21, 0},
    {"fetch_not_served", ONE, NULL, "20 <<[20 {" IS_B " 21 \"nowhere\"} @21 0]>>", "b0x0",
     U, PICOSUIT_E_FETCH, 0, 0},
    {"fetch_shorter", ONE, NULL, "20 <<[20 {14 101 21 \"a\"} @21 0]>>", "b0x0", U,
     PICOSUIT_E_LENGTH, 0, 1},
    {"fetch_longer", ONE, NULL, "20 <<[20 {14 99 21 \"a\"} @21 0]>>", "b0x0", U,
     PICOSUIT_E_LENGTH, 0, -1},
    {"fetch_of_other_bytes", ONE, NULL, "20 <<[20 {3 " SUM_B " 14 300 21 \"c\"} @21 0]>>",
     "b0x0", U, PICOSUIT_E_DIGEST, 21, 5},
    {"fetch_of_other_bytes_then_right", ONE, NULL,
     "20 <<[20 {3 " SUM_B " 14 300 21 \"c\"} 21 0 20 {14 200 21 \"b\"} 21 0]>>",
     "b0x0b0e0", U, 0, 0, 9},
    {"fetch_beyond_capacity", ONE, NULL, "20 <<[20 {14 8193 21 \"a\"} @21 0]>>", "", U,
     PICOSUIT_E_CAPACITY, 0, 0},
    {"fetch_two", TWO, NULL,
     "20 <<[12 0 20 {" IS_B " 21 \"b\"} 21 0 12 1 20 {" IS_A
     " 21 \"a\"} 21 0 12 true 3 15]>>",
     "b0e0b1e1", U, 0, 0, 6},
    {"copy", TWO, NULL, "20 <<[12 0 20 {" IS_B " 22 1} 22 0 3 15]>>", "b0e0", U, 0, 0, 4},
    {"copy_without_digest", TWO, NULL, "20 <<[12 0 20 {22 1} 22 0]>>", "b0e0", U, 0, 0,
     4},
    {"copy_without_source", TWO, NULL, "20 <<[12 0 20 {" IS_B "} @22 0]>>", "", U,
     PICOSUIT_E_UNSET, 22, 0},
    {"copy_from_itself", TWO, NULL, "20 <<[12 0 20 {22 0} @22 0]>>", "", U,
     PICOSUIT_E_INDEX, 22, 0},
    {"copy_from_nothing", "[[h'00'] ['stage']]", NULL, "20 <<[12 0 20 {22 1} @22 0]>>",
     "", U, PICOSUIT_E_LENGTH, 0, 0},
    {"copy_of_another_size", TWO, NULL, "20 <<[12 0 20 {14 199 22 1} @22 0]>>", "", U,
     PICOSUIT_E_LENGTH, 0, 0},
    {"copy_source_beyond", TWO, NULL, "20 <<[12 0 20 {@22 2} 22 0]>>", "", U,
     PICOSUIT_E_INDEX, 22, 0},
    {"write", ONE, NULL, "20 <<[20 {18 'twelve bytes'} 18 0]>>", "b0e0", U, 0, 0, 1},
    {"write_is_never_skipped", ONE, NULL, "20 <<[20 {" IS_A " 18 z(100)} @18 0]>>",
     "b0x0", U, PICOSUIT_E_DIGEST, 18, 2},
    {"write_without_content", ONE, NULL, "20 <<[@18 0]>>", "", U, PICOSUIT_E_UNSET, 18,
     0},
    {"write_of_65_bytes", ONE, NULL, "20 <<[20 {18 z(65)} 18 0]>>", "b0e0", U, 0, 0, 2},
    {"write_empty", ONE, NULL, "20 <<[20 {18 h''} 18 0]>>", "b0e0", U, 0, 0, 0},
    {"write_beyond_capacity", "[['keys']]", NULL, "20 <<[20 {18 z(1025)} @18 0]>>", "", U,
     PICOSUIT_E_CAPACITY, 0, 0},
    {"invoke", ONE, NULL, "9 <<[23 0]>>", "i0", I, 0, 0, 0},
    {"invoke_second", TWO, NULL, "9 <<[12 1 20 {23 'args'} 23 0]>>", "i1", I, 0, 0, 0},
    {"invoke_two", TWO, NULL, "9 <<[12 [1 0] 23 0]>>", "i1i0", I, 0, 0, 0},
    {"swap", TWO, NULL, "20 <<[12 0 20 {22 1} 31 0 20 {" IS_B "} 3 15]>>", "s0", U, 0, 0,
     0},
    {"swap_without_source", TWO, NULL, "20 <<[12 0 @31 0]>>", "", U, PICOSUIT_E_UNSET, 22,
     0},
};

static const row procedure_rows[] = {
    {"update_runs_16_20_7", THREE, NULL,
     "7 <<[12 0 20 {" IS_B "} 3 15]>> 16 <<[12 2 20 {21 \"a\"} 21 0]>> "
     "20 <<[12 0 20 {22 2} 22 0 20 {21 \"b\"} 21 0]>>",
     "b2e2b0e0b0e0", U, 0, 0, 8},
    {"update_leaves_8_and_9", ONE, NULL,
     "7 <<[20 {" IS_A "} 3 15]>> 8 <<[14 15]>> 9 <<[23 0]>>", "", U, 0, 0, 0},
    {"invoke_runs_7_8_9", TWO, NULL,
     "7 <<[12 0 20 {" IS_A "} 3 15]>> 8 <<[12 1 20 {22 0} 22 0]>> 9 <<[12 1 20 {" IS_A
     "} 3 15 23 0]>>",
     "b1e1i1", I, 0, 0, 2},
    {"invoke_leaves_16_and_20", ONE, NULL,
     "7 <<[20 {" IS_A "} 3 15]>> 9 <<[23 0]>> 16 <<[14 15]>> 20 <<[14 15]>>", "i0", I, 0,
     0, 0},
    {"invoke_stops_at_validate", ONE, NULL, "7 <<[20 {" IS_B "} @3 15]>> 9 <<[23 0]>>",
     "", I, PICOSUIT_E_CONDITION, 3, 0},
    {"update_of_nothing", ONE, NULL, "", "", U, 0, 0, 0},
    {"invoke_of_nothing", ONE, NULL, "", "", I, PICOSUIT_E_INVOKE, 23, 0},
    {"invoke_skipped", ONE, NULL, "9 <<[15 [<<[14 0]>> <<[14 0]>> null]]>>", "", I,
     PICOSUIT_E_INVOKE, 23, 0},
    {"parameters_last_for_the_procedure", TWO, NULL,
     "7 <<[12 0 3 15]>> 16 <<[12 0 20 {" IS_A "}]>>", "", U, 0, 0, 0},
    {"shared_runs_before_each", ONE, "[20 {" IS_A "}]",
     "7 <<[3 15]>> 20 <<[3 15 20 {" IS_B "}]>>", "", U, 0, 0, 0},
    {"shared_failure_stops_before_effects", ONE,
     "[20 {" VENDOR " " CLASS "} 1 15 2 15 14 15]", "20 <<[20 {21 \"a\"} 21 0]>>", "", U,
     PICOSUIT_E_CONDITION, 14, 0},
};

static void run_row(const row *r) {
    static sim_case c;
    sim_result whole, bytes, open;
    row_case(&c, r, "");
    if (!row_is_runnable(&c)) {
        return;
    }
    TEST(test_name("test_commands_%s", r->name));
    sim_run(&s, &c, SIM_WHOLE, 0, &whole);
    sim_expect(&s, &c, &whole, 0);
    EXPECT(r->code == 0 || whole.stage != SIM_AT_FEED);
    if (r->log != NULL && strcmp(s.log, r->log) != 0) {
        test_expect(0, test_name("effects are %s, expected %s", s.log, r->log), __FILE__,
                    __LINE__);
    }
    sim_run(&s, &c, SIM_BYTES, 0, &bytes);
    EXPECT(sim_same(&whole, &bytes));
    sim_run(&s, &c, SIM_OPEN, 0, &open);
    EXPECT(sim_same(&whole, &open));
    sim_case_free(&c);
}

#define RUN(rows)                                                                        \
    for (size_t i = 0; i < sizeof(rows) / sizeof *(rows); i++) {                         \
        run_row(&(rows)[i]);                                                             \
    }

/* -- records -- */

static const row record_row = {
    "records",
    TWO,
    NULL,
    "7 <<[12 true 20 {" IS_A
    "} 15 [<<[3 2]>> <<[14 0 3 15]>> <<[12 0 3 4]>>] 12 0 3 3 14 2]>>",
    "",
    U,
    PICOSUIT_E_CONDITION,
    14,
    0};

static void records(void) {
    static sim_case c;
    sim_result r;
    TEST("test_commands_records");
    row_case(&c, &record_row, "");
    sim_run(&s, &c, SIM_WHOLE, 0, &r);
    EXPECT_INT(r.status, PICOSUIT_E_CONDITION);
    /* component 0 matches; 1 fails, aborts (policy 0: no record), then looks at 0 */
    static const struct {
        int32_t label, code;
        uint8_t component, policy;
    } want[] = {
        {3, 0, 0, 2}, {3, PICOSUIT_E_CONDITION, 1, 2},  {3, 0, 0, 4},
        {3, 0, 0, 3}, {14, PICOSUIT_E_CONDITION, 0, 2},
    };
    EXPECT_INT(s.record_n, sizeof want / sizeof *want);
    for (unsigned i = 0; i < s.record_n && i < sizeof want / sizeof *want; i++) {
        EXPECT_INT(s.record[i].label, want[i].label);
        EXPECT_INT(s.record[i].code, want[i].code);
        EXPECT_INT(s.record[i].component, want[i].component);
        EXPECT_INT(s.record[i].policy, want[i].policy);
        EXPECT(s.record[i].section == 7 && s.record[i].reserved == 0 &&
               s.record[i].offset > 0);
    }
    sim_case_free(&c);
}

static const row args_row = {"args", ONE, NULL, "9 <<[20 {23 'reset=1'} 23 0]>>", "i0", I,
                             0,      0,   0};

static void invoke_args(void) {
    static sim_case c;
    sim_result r;
    TEST("test_commands_invoke_args");
    row_case(&c, &args_row, "");
    sim_run(&s, &c, SIM_WHOLE, 0, &r);
    EXPECT_INT(r.status, PICOSUIT_OK);
    EXPECT_INT(s.args_len, 7);
    EXPECT_MEM(s.args, "reset=1", 7);
    sim_case_free(&c);
}

void suite_commands(void) {
    sim_new(&s);
    RUN(index_rows);
    RUN(nest_rows);
    RUN(condition_rows);
    RUN(directive_rows);
    RUN(procedure_rows);
    records();
    invoke_args();
    guard_free(s.work);
}
