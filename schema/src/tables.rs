// @generated automatically by Diesel CLI.

diesel::table! {
    account_tokens (hash) {
        hash -> Bytea,
        purpose -> Text,
        user_id -> Uuid,
        email -> Text,
        expires_at -> Timestamptz,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    activity_deliveries (project_id, at, endpoint_id) {
        project_id -> Uuid,
        at -> Timestamptz,
        endpoint_id -> Uuid,
        waiting -> Int8,
        retry -> Int8,
        success -> Int8,
        discarded -> Int8,
        failure -> Int8,
    }
}

diesel::table! {
    activity_events (project_id, at) {
        project_id -> Uuid,
        at -> Timestamptz,
        events -> Int8,
    }
}

diesel::table! {
    activity_mark (is_only) {
        is_only -> Bool,
        stored_at -> Timestamptz,
    }
}

diesel::table! {
    activity_stale (project_id, at) {
        project_id -> Uuid,
        at -> Timestamptz,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Uuid,
        mask -> Text,
        hash -> Bytea,
        name -> Text,
        role -> Text,
        project_id -> Nullable<Uuid>,
        user_id -> Nullable<Uuid>,
        expires_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    attempt_counters (subject) {
        subject -> Bytea,
        attempts -> Int4,
        window_ends_at -> Timestamptz,
    }
}

diesel::table! {
    audit_log (id) {
        id -> Uuid,
        organisation_id -> Nullable<Uuid>,
        project_id -> Nullable<Uuid>,
        actor_kind -> Text,
        actor_id -> Nullable<Uuid>,
        api_key_id -> Nullable<Uuid>,
        action -> Text,
        resource_kind -> Text,
        resource_id -> Nullable<Uuid>,
        is_confirmed -> Bool,
        changes -> Jsonb,
        request_id -> Text,
        source_address -> Text,
        user_agent -> Text,
        way -> Text,
    }
}

diesel::table! {
    batch_runs (project_id, id) {
        project_id -> Uuid,
        id -> Uuid,
        kind -> Text,
        filter -> Jsonb,
        status -> Text,
        reached -> Nullable<Uuid>,
        done -> Int8,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        instance_batch_id -> Nullable<Uuid>,
        report -> Nullable<Jsonb>,
    }
}

diesel::table! {
    delivery_attempts (project_id, id) {
        project_id -> Uuid,
        id -> Uuid,
        event_delivery_id -> Uuid,
        endpoint_id -> Uuid,
        url -> Text,
        method -> Text,
        is_success -> Bool,
        status_code -> Nullable<Int4>,
        error -> Nullable<Text>,
        error_class -> Nullable<Text>,
        request_headers -> Jsonb,
        response_headers -> Jsonb,
        response_body -> Nullable<Bytea>,
        ip_address -> Nullable<Text>,
        requested_at -> Timestamptz,
        responded_at -> Nullable<Timestamptz>,
        duration_ms -> Int4,
        queue_ms -> Nullable<Int4>,
        dns_us -> Nullable<Int4>,
        connect_us -> Nullable<Int4>,
        tls_us -> Nullable<Int4>,
        first_byte_us -> Nullable<Int4>,
        redirects -> Nullable<Jsonb>,
    }
}

diesel::table! {
    endpoint_health (project_id, endpoint_id) {
        project_id -> Uuid,
        endpoint_id -> Uuid,
        failing_since -> Timestamptz,
        told_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    endpoint_secrets (project_id, endpoint_id, id) {
        project_id -> Uuid,
        endpoint_id -> Uuid,
        id -> Uuid,
        value -> crate::sealed::SealedText,
        expires_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    endpoints (project_id, id) {
        project_id -> Uuid,
        id -> Uuid,
        name -> Text,
        url -> Text,
        description -> Text,
        owner_id -> Text,
        status -> Text,
        advanced_signatures -> Bool,
        content_type -> Text,
        http_timeout_seconds -> Int4,
        rate_limit -> Int4,
        rate_limit_duration_seconds -> Int4,
        authentication -> Nullable<crate::sealed::SealedJsonb>,
        support_email -> Text,
        slack_webhook_url -> crate::sealed::SealedText,
        teams_webhook_url -> crate::sealed::SealedText,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
        mtls_client_cert -> Nullable<crate::sealed::SealedJsonb>,
        ordering -> Nullable<Jsonb>,
        follow_redirects -> Bool,
    }
}

diesel::table! {
    event_day_counts (project_id, day) {
        project_id -> Uuid,
        day -> Date,
        events -> Int8,
    }
}

diesel::table! {
    event_deliveries (project_id, id) {
        project_id -> Uuid,
        id -> Uuid,
        event_id -> Uuid,
        endpoint_id -> Uuid,
        subscription_id -> Uuid,
        event_type -> Text,
        status -> Text,
        delivery_mode -> Text,
        target_url -> Nullable<Text>,
        strategy -> Text,
        retry_interval_seconds -> Int4,
        retry_limit -> Int4,
        attempt_count -> Int4,
        next_send_time -> Timestamptz,
        latency_seconds -> Nullable<Float8>,
        description -> Text,
        acknowledged_at -> Timestamptz,
        updated_at -> Timestamptz,
        payload -> Nullable<Bytea>,
        held_by -> Nullable<Text>,
        ordering_key -> Nullable<Text>,
        line_place -> Nullable<Int8>,
        retry_schedule -> Nullable<Array<Int4>>,
        give_up_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    event_types (project_id, id) {
        project_id -> Uuid,
        id -> Uuid,
        name -> Text,
        category -> Text,
        description -> Text,
        json_schema -> Nullable<Jsonb>,
        deprecated_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    event_search (id) {
        project_id -> Uuid,
        id -> Uuid,
        document -> Jsonb,
    }
}

diesel::table! {
    event_search_mark (is_only) {
        is_only -> Bool,
        stored_at -> Timestamptz,
        id -> Uuid,
    }
}

diesel::table! {
    events (project_id, id) {
        project_id -> Uuid,
        id -> Uuid,
        event_type -> Text,
        target_kind -> Text,
        target -> Text,
        source_id -> Nullable<Uuid>,
        headers -> Jsonb,
        payload -> Bytea,
        idempotency_key -> Text,
        is_duplicate -> Bool,
        url_query_params -> Text,
        url_path -> Text,
        endpoint_ids -> Array<Nullable<Uuid>>,
        status -> Text,
        failure_reason -> Nullable<Text>,
        acknowledged_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    idempotency_keys (project_id, idempotency_key) {
        project_id -> Uuid,
        idempotency_key -> Text,
        event_id -> Uuid,
    }
}

diesel::table! {
    instance_secrets (name) {
        name -> Text,
        value -> crate::sealed::SealedBytea,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    leases (name) {
        name -> Text,
        holder -> Text,
        fencing_token -> Int8,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    meta_events (project_id, id) {
        project_id -> Uuid,
        id -> Uuid,
        event_type -> Text,
        payload -> Bytea,
        status -> Text,
        strategy -> Text,
        retry_interval_seconds -> Int4,
        retry_limit -> Int4,
        attempt_count -> Int4,
        next_send_time -> Timestamptz,
        attempt -> Nullable<Jsonb>,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    organisation_invites (organisation_id, id) {
        organisation_id -> Uuid,
        id -> Uuid,
        invitee_email -> Text,
        role -> Text,
        token_hash -> Bytea,
        status -> Text,
        expires_at -> Timestamptz,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    organisation_members (organisation_id, user_id) {
        organisation_id -> Uuid,
        user_id -> Uuid,
        role -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    organisations (id) {
        id -> Uuid,
        name -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
        owner_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    past_idempotency_keys (project_id, idempotency_key, event_id) {
        project_id -> Uuid,
        idempotency_key -> Text,
        event_id -> Uuid,
    }
}

diesel::table! {
    portal_keys (id) {
        id -> Uuid,
        project_id -> Uuid,
        portal_link_id -> Uuid,
        mask -> Text,
        hash -> Bytea,
        expires_at -> Timestamptz,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    portal_links (project_id, id) {
        project_id -> Uuid,
        id -> Uuid,
        name -> Text,
        owner_id -> Text,
        endpoint_ids -> Array<Nullable<Uuid>>,
        can_manage_endpoint -> Bool,
        auth_type -> Text,
        token -> crate::sealed::SealedText,
        token_hash -> Bytea,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    projects (id) {
        id -> Uuid,
        organisation_id -> Uuid,
        name -> Text,
        kind -> Text,
        logo_url -> Text,
        config -> crate::sealed::SealedJsonb,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    rejected_messages (project_id, id) {
        project_id -> Uuid,
        id -> Uuid,
        source_id -> Uuid,
        reason -> Text,
        detail -> Text,
        payload -> Bytea,
        payload_bytes -> Int8,
        is_whole -> Bool,
        metadata -> Jsonb,
        redrive_count -> Int4,
        redrive_requested_at -> Nullable<Timestamptz>,
        redrive_leased_until -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    retention_marks (project_id, purged_table) {
        project_id -> Uuid,
        purged_table -> Text,
        purged_before -> Uuid,
    }
}

diesel::table! {
    routing_versions (project_id) {
        project_id -> Uuid,
        version -> Int8,
    }
}

diesel::table! {
    schedule_ticks (name, tick_at) {
        name -> Text,
        tick_at -> Timestamptz,
        fencing_token -> Int8,
        enqueued_at -> Nullable<Timestamptz>,
        requested_by -> Nullable<Text>,
        worker -> Nullable<Text>,
        tries -> Int4,
        started_at -> Nullable<Timestamptz>,
        finished_at -> Nullable<Timestamptz>,
        result -> Nullable<Jsonb>,
        error -> Nullable<Text>,
    }
}

diesel::table! {
    schedules (name) {
        name -> Text,
        cron -> Text,
        catch_up_max -> Int4,
        jitter_seconds -> Int4,
        settings -> Jsonb,
        next_tick_at -> Nullable<Timestamptz>,
        announced_by -> Text,
        announced_at -> Timestamptz,
        retired_at -> Nullable<Timestamptz>,
        paused_at -> Nullable<Timestamptz>,
        paused_by -> Nullable<Text>,
        resumed_at -> Nullable<Timestamptz>,
        resumed_by -> Nullable<Text>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    sessions (id) {
        id -> Uuid,
        user_id -> Uuid,
        generation -> Int4,
        rotated_at -> Timestamptz,
        expires_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        cookie_hash -> Nullable<Bytea>,
    }
}

diesel::table! {
    sources (project_id, id) {
        project_id -> Uuid,
        id -> Uuid,
        mask_id -> Text,
        name -> Text,
        kind -> Text,
        provider -> Text,
        is_disabled -> Bool,
        verifier -> Nullable<crate::sealed::SealedJsonb>,
        custom_response -> Nullable<Jsonb>,
        forward_headers -> Array<Nullable<Text>>,
        pub_sub -> Nullable<crate::sealed::SealedJsonb>,
        idempotency_keys -> Array<Nullable<Text>>,
        event_type_location -> Text,
        body_function -> Nullable<Text>,
        header_function -> Nullable<Text>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
        crc_verified_at -> Nullable<Timestamptz>,
        stale_after_seconds -> Nullable<Int4>,
        stale_since -> Nullable<Timestamptz>,
        rate_limit -> Int4,
        rate_limit_duration_seconds -> Int4,
    }
}

diesel::table! {
    subscription_filters (project_id, subscription_id, id) {
        project_id -> Uuid,
        subscription_id -> Uuid,
        id -> Uuid,
        event_type -> Text,
        enabled_at -> Nullable<Timestamptz>,
        headers -> Jsonb,
        body -> Jsonb,
        query -> Jsonb,
        path -> Jsonb,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    subscriptions (project_id, id) {
        project_id -> Uuid,
        id -> Uuid,
        name -> Text,
        endpoint_id -> Uuid,
        source_id -> Nullable<Uuid>,
        event_types -> Array<Nullable<Text>>,
        delivery_mode -> Text,
        function -> Nullable<Text>,
        alert_config -> Nullable<Jsonb>,
        retry_config -> Nullable<Jsonb>,
        rate_limit_config -> Nullable<Jsonb>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
        filter -> Nullable<Jsonb>,
    }
}

diesel::table! {
    test_requests (project_id, id) {
        project_id -> Uuid,
        id -> Uuid,
        method -> Text,
        headers -> Jsonb,
        body -> Bytea,
        body_bytes -> Int8,
    }
}

diesel::table! {
    users (id) {
        id -> Uuid,
        first_name -> Text,
        last_name -> Text,
        email -> Text,
        password_hash -> Nullable<Text>,
        is_email_verified -> Bool,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
    }
}

diesel::joinable!(account_tokens -> users (user_id));
diesel::joinable!(api_keys -> projects (project_id));
diesel::joinable!(api_keys -> users (user_id));
diesel::joinable!(batch_runs -> projects (project_id));
diesel::joinable!(endpoints -> projects (project_id));
diesel::joinable!(event_types -> projects (project_id));
diesel::joinable!(meta_events -> projects (project_id));
diesel::joinable!(organisation_invites -> organisations (organisation_id));
diesel::joinable!(organisation_members -> organisations (organisation_id));
diesel::joinable!(organisation_members -> users (user_id));
diesel::joinable!(portal_links -> projects (project_id));
diesel::joinable!(organisations -> users (owner_id));
diesel::joinable!(projects -> organisations (organisation_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(sources -> projects (project_id));
diesel::joinable!(subscriptions -> projects (project_id));
diesel::joinable!(test_requests -> projects (project_id));

diesel::allow_tables_to_appear_in_same_query!(
    account_tokens,
    activity_deliveries,
    activity_events,
    activity_mark,
    activity_stale,
    api_keys,
    audit_log,
    batch_runs,
    attempt_counters,
    delivery_attempts,
    endpoint_health,
    endpoint_secrets,
    endpoints,
    event_day_counts,
    event_deliveries,
    event_types,
    event_search,
    event_search_mark,
    events,
    idempotency_keys,
    instance_secrets,
    leases,
    meta_events,
    organisation_invites,
    organisation_members,
    organisations,
    past_idempotency_keys,
    portal_keys,
    portal_links,
    projects,
    rejected_messages,
    retention_marks,
    routing_versions,
    schedule_ticks,
    schedules,
    sessions,
    sources,
    subscription_filters,
    subscriptions,
    test_requests,
    users,
);
